package token_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/share"
	"github.com/usherauth/usher/token"
)

// tool is the other program, by its folder.
type tool struct {
	t   *testing.T
	dir string
}

func (o tool) file() string { return filepath.Join(o.dir, "oauth_creds.json") }
func (o tool) lock() string { return filepath.Join(o.dir, "oauth_creds.lock") }

// open is what token.Config.Share wants.
func (o tool) open(name string) (*share.File, error) {
	return share.Open(name, func(variable string) string {
		if variable == "QWEN_HOME" {
			return o.dir
		}
		return ""
	})
}

// has makes the file hold tokens of the n-th generation, as the tool would.
func (o tool) has(n string, end time.Time) {
	o.t.Helper()
	data, err := json.Marshal(map[string]any{
		"access_token": "at-" + n, "refresh_token": "rt-" + n, "token_type": "Bearer",
		"resource_url": "portal.test", "expiry_date": end.UnixMilli(), "theirs": "kept",
	})
	if err != nil {
		o.t.Fatal(err)
	}
	temp := o.file() + ".tmp"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		o.t.Fatal(err)
	}
	if err := os.Rename(temp, o.file()); err != nil {
		o.t.Fatal(err)
	}
}

func (o tool) removes() {
	o.t.Helper()
	if err := os.Remove(o.file()); err != nil {
		o.t.Fatal(err)
	}
}

// want compares the file, "" for none, and sees that no lock of ours is left.
func (o tool) want(n string) {
	o.t.Helper()
	f, err := o.open(share.Qwen)
	if err != nil {
		o.t.Fatal(err)
	}
	found, err := f.Read()
	switch {
	case n == "" && !errors.Is(err, fs.ErrNotExist):
		o.t.Errorf("file has %s, %v, want none", found.RefreshToken.Reveal(), err)
	case n == "":
	case err != nil:
		o.t.Errorf("reading the tool's file: %v, want generation %s", err, n)
	case found.RefreshToken.Reveal() != "rt-"+n || found.AccessToken.Reveal() != "at-"+n:
		o.t.Errorf("file has %s, %s, want generation %s", found.RefreshToken.Reveal(), found.AccessToken.Reveal(), n)
	}
	if _, err := os.Lstat(o.lock()); !errors.Is(err, fs.ErrNotExist) {
		o.t.Errorf("the tool's lock is left: %v", err)
	}
}

// newSharing is a fixture whose credential is shared, and in step.
func newSharing(t *testing.T, lifetime time.Duration) (*fixture, tool) {
	f := newFixture(t, lifetime)
	o := tool{t, t.TempDir()}
	c := f.credential(lifetime)
	c.Share = credential.Share{Tool: share.Qwen}
	seed(t, f.store, c)
	f.m = f.managerWith(token.Config{Share: o.open})
	if err := f.m.Sync(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	return f, o
}

// A refresh is the tool's too, and its file keeps what else it holds.
func TestSharedRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		o.want("1")
		o.has("1", f.stored().ExpiresAt())
		for _, n := range []string{"2", "3"} {
			time.Sleep(time.Hour)
			f.want(f.m, 0, "at-"+n)
			o.want(n)
		}
		if seen, want := f.stored().Share.Seen, share.Digest(hide("rt-2"))+" "+share.Digest(hide("rt-1")); seen != want {
			t.Errorf("Share.Seen = %s, want those of rt-2, which the file held when rt-3 was stored, and rt-1", seen)
		}
		data, err := os.ReadFile(o.file())
		if err != nil || !strings.Contains(string(data), `"theirs"`) {
			t.Errorf("file = %s, %v, want the tool's own member kept", data, err)
		}
		f.wantSeen("rt-1", "rt-2")
		f.wantEvents(token.Refreshed, token.Refreshed)
	})
}

// The tool was faster: its token is ours, without a request.
func TestToolRefreshedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		time.Sleep(time.Hour)
		o.has("2", time.Now().Add(time.Hour))
		f.want(f.m, 0, "at-2")
		f.wantSeen()
		// Twice if the reader, who set off two rotations, was slower than the first.
		if got := slices.Compact(f.eventTypes()); !slices.Equal(got, []token.EventType{token.Adopted}) {
			t.Errorf("events = %v, want adopted", got)
		}
		if c := f.stored(); c.RefreshToken.Reveal() != "rt-2" || c.ResourceURL != "portal.test" || c.Scopes[0] != "read" || !c.IDToken.IsZero() {
			t.Errorf("stored %+v, want the tool's tokens, nobody's id, and the rest as it was", c)
		}
		o.want("2")
	})
}

// What the tool got has ended as well: its refresh token is the one to send.
func TestToolsTokenHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		f.provider.gen = 2
		o.has("2", time.Now().Add(time.Hour))
		time.Sleep(2 * time.Hour)
		f.want(f.m, 0, "at-3")
		f.wantSeen("rt-2")
		f.wantEvents(token.Adopted, token.Refreshed)
		o.want("3")
	})
}

// The tool's file is an old one, from a backup: its token is refused, ours is
// good.
func TestToolsTokenIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		time.Sleep(time.Hour)
		o.has("old", time.Now().Add(-time.Hour))
		f.provider.script[1] = says(400, http.Header{"Content-Type": {"application/json"}}, `{"error":"invalid_grant"}`)
		f.want(f.m, 0, "at-2")
		f.wantSeen("rt-old", "rt-1")
		if c := f.stored(); c.State != credential.Active || c.RefreshToken.Reveal() != "rt-2" {
			t.Errorf("stored %s, %s, want active with rt-2", c.State, c.RefreshToken.Reveal())
		}
		o.want("2")
	})
}

// holds takes the tool's lock as the tool does, and keeps it fresh until the
// function returned is called.
func (o tool) holds() (release func()) {
	o.t.Helper()
	if err := os.WriteFile(o.lock(), []byte("6f1c0a52-7d63-4a50-9f4e-2b8f4a6b5d11"), 0o600); err != nil {
		o.t.Fatal(err)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for beat := time.NewTicker(3 * time.Second); ; {
			select {
			case <-done:
				beat.Stop()
				return
			case <-beat.C:
				os.Chtimes(o.lock(), time.Time{}, time.Now())
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		os.Remove(o.lock())
	}
}

// While the tool refreshes, a usable token is served at once; who needs another
// waits, and gets the tool's.
func TestToolIsRefreshing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		time.Sleep(56 * time.Minute)
		release := o.holds()
		start := time.Now()
		f.want(f.m, 0, "at-1")
		if waited := time.Since(start); waited != 0 {
			t.Errorf("a reader with a usable token waited %v", waited)
		}
		go func() {
			time.Sleep(20 * time.Second)
			o.has("2", time.Now().Add(time.Hour))
			release()
		}()
		f.want(f.m, 30*time.Minute, "at-2")
		f.wantSeen()
		o.want("2")
	})
}

// A tool that never ends costs the readers no usable token, and its lock is
// respected.
func TestToolIsBusyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		time.Sleep(56 * time.Minute)
		release := o.holds()
		if got := f.want(f.m, 30*time.Minute, "at-1"); !got.Short {
			t.Error("Short = false, want true")
		}
		time.Sleep(4 * time.Minute)
		if _, err := f.m.Token(t.Context(), key, 0); !errors.Is(err, token.ErrBusy) || !errors.Is(err, share.ErrBusy) {
			t.Errorf("Token = %v, want ErrBusy of both", err)
		}
		if last := f.reports()[len(f.reports())-1]; last.Result != token.ResultBusy {
			t.Errorf("result = %s, want busy", last.Result)
		}
		f.wantSeen()
		release()
		f.want(f.m, 0, "at-2")
		o.want("2")
	})
}

// What cannot be shared is not refreshed: the tool could not be told.
func TestShareUnusable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		if err := os.RemoveAll(o.dir); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(o.dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(56 * time.Minute)
		f.want(f.m, 0, "at-1")
		time.Sleep(4 * time.Minute)
		if _, err := f.m.Token(t.Context(), key, 0); err == nil || !strings.Contains(err.Error(), "shares with qwen") {
			t.Errorf("Token = %v, want an error about what is shared", err)
		}
		f.wantSeen()
		if err := os.Remove(o.dir); err != nil {
			t.Fatal(err)
		}
		f.want(f.m, 0, "at-2")
		o.want("2")
	})
}

// A file that cannot be written after the answer takes nothing from us, and is
// written when that works again.
func TestShareWriteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		f.provider.script[1] = func(w http.ResponseWriter, _ *http.Request, grant func(http.ResponseWriter)) {
			o.removes()
			if err := os.Mkdir(o.file(), 0o700); err != nil {
				t.Error(err)
			}
			grant(w)
		}
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-2")
		f.wantEvents(token.Refreshed, token.ShareFailed)
		if got := f.reports(); len(got) != 1 || got[0].Result != token.ResultRefreshed {
			t.Errorf("reports = %+v, want one that refreshed", got)
		}
		o.removes()
		time.Sleep(2 * time.Second)
		o.want("2")
		f.wantSeen("rt-1")
	})
}

// A crash after our write and before the tool's leaves an old token in its file.
// It is not taken for a newer one.
func TestShareWriteWasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-2")
		o.has("1", time.Now())
		time.Sleep(2 * time.Second)
		o.want("2")
		// Nor in the next rotation, should that come first.
		o.has("1", time.Now())
		f.m = f.managerWith(token.Config{Share: o.open})
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-3")
		o.want("3")
		f.wantSeen("rt-1", "rt-2")
	})
}

// The tool writes without its lock while we refresh, and both have won: ours is
// stored, theirs is not overwritten, and then adopted.
func TestToolWritesWhileWeRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		f.provider.script[1] = func(w http.ResponseWriter, _ *http.Request, grant func(http.ResponseWriter)) {
			o.has("login", time.Now().Add(time.Hour))
			grant(w)
		}
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-2")
		o.want("login")
		f.wantEvents(token.Refreshed, token.ShareFailed)
		time.Sleep(2 * time.Second)
		f.want(f.m, 0, "at-login")
		o.want("login")
		f.wantSeen("rt-1")
	})
}

// R6 with a shared file: the tool was faster without its lock, our token is
// refused, and its file says why.
func TestRefusedButToolHasNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		f.provider.script[1] = func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
			o.has("2", time.Now().Add(time.Hour))
			refuse(w, "invalid_grant")
		}
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-2")
		f.wantSeen("rt-1")
		f.wantEvents(token.Adopted)
		if c := f.stored(); c.State != credential.Active {
			t.Errorf("state = %s, want active", c.State)
		}
	})
}

// The machine sleeps between the lock and the request: the tool may have taken
// the lock over, so everything is looked at again.
func TestSleepBeforeSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		slept := false
		f.store.Intercept(func(op string, _ credential.Key) error {
			if op == "Reserve" && !slept {
				slept = true
				f.clock.suspend(time.Minute)
				o.has("2", f.clock.Now().Wall.Add(time.Hour))
			}
			return nil
		})
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-2")
		f.wantSeen()
		o.want("2")
	})
}

// A crash after the request, and the tool has refreshed since: the hold-off
// outlives the adoption.
func TestAdoptionAfterCrashHoldsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		time.Sleep(time.Hour)
		dead, err := f.store.BeginRotation(t.Context(), key, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(dead.Reserve(t.Context()), dead.Release(false)); err != nil {
			t.Fatal(err)
		}
		o.has("2", time.Now().Add(time.Hour))
		f.want(f.m, 0, "at-2")
		if hold := f.stored().HoldOffUntil; !hold.Equal(time.Now().Add(30 * time.Second)) {
			t.Errorf("HoldOffUntil = %v, want in 30 s", hold)
		}
	})
}

// What the tool got while somebody logged out here stays the tool's: it is
// neither stored nor revoked.
func TestLogoutDuringAdoption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		time.Sleep(time.Hour)
		o.has("2", time.Now().Add(time.Hour))
		discards := 0
		f.store.Intercept(func(op string, _ credential.Key) error {
			switch op {
			case "Commit":
				f.logout()
			case "Discard":
				discards++
			}
			return nil
		})
		if _, err := f.m.Token(t.Context(), key, 0); err == nil {
			t.Error("Token after a logout succeeded")
		}
		if discards != 1 {
			t.Errorf("what was kept aside was discarded %d times, want once", discards)
		}
		if got := f.provider.revocations(); len(got) != 0 {
			t.Errorf("revoked %v, want nothing", got)
		}
		o.want("2")
	})
}
