package token_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/share"
	"github.com/usherauth/usher/token"
)

// What is done about the tool's file with nothing to renew.

// A login by the tool makes a credential that was refused good again.
func TestToolLogsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		f.provider.revoked = true
		time.Sleep(time.Hour)
		if _, err := f.m.Token(t.Context(), key, 0); err == nil {
			t.Fatal("Token succeeded, want LoginNeededError")
		}
		o.removes() // as the tool does on a refusal
		time.Sleep(time.Minute)
		o.want("")
		o.has("login", time.Now().Add(time.Hour))
		f.want(f.m, 0, "at-login")
		if c := f.stored(); c.State != credential.Active || c.Cause != "" {
			t.Errorf("stored state %s, cause %s, want active", c.State, c.Cause)
		}
		f.wantSeen("rt-1")
	})
}

// The tool wipes its file while our token is good: it gets it back, but not
// every second.
func TestToolRemovesItsFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		const look = 500 * time.Millisecond
		var restored []time.Duration // seen at, up to a look after it was
		start := time.Now()
		for time.Since(start) < 2*time.Minute {
			f.want(f.m, 0, "at-1")
			if _, err := os.Lstat(o.file()); err == nil {
				restored = append(restored, time.Since(start))
				o.removes()
			}
			time.Sleep(look)
		}
		for n := 2; n < len(restored); n++ {
			if gap := restored[n] - restored[n-1]; gap < 30*time.Second-look {
				t.Errorf("file was there after %v: restored more often than every 30 s", restored)
			}
		}
		if len(restored) < 4 || restored[1] > 2*time.Second {
			t.Errorf("file was there after %v, want again within 2 s and then every 30 s", restored)
		}
		for _, e := range f.eventTypes() {
			if e != token.ShareRestored {
				t.Errorf("event %s, want share_restored alone", e)
			}
		}
		f.wantSeen()
	})
}

// A command that reads one token looks at the tool's file, too.
func TestOneReadRestores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		o.removes()
		m := f.managerWith(token.Config{Share: o.open})
		f.want(m, 0, "at-1")
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.want("1")
		f.wantEvents(token.ShareRestored)
	})
}

// The fast path does not look at the tool's file, and one in step is not read.
func TestSharedFastPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		f.want(f.m, 0, "at-1")
		var looks atomic.Int64
		m := f.managerWith(token.Config{Share: func(name string) (*share.File, error) {
			looks.Add(1)
			return o.open(name)
		}})
		f.want(m, 0, "at-1")
		before := looks.Load()
		for range 100 {
			f.want(m, 0, "at-1")
		}
		if got := looks.Load() - before; got != 0 {
			t.Errorf("%d looks at the tool's file by 100 reads from memory", got)
		}
	})
}

// A login replaces what the tool had, but not what the tool got after it.
func TestSyncAfterLogin(t *testing.T) {
	for _, tt := range []struct{ name, seen, file string }{
		{"over an older login", "other", "1"},
		{"beside a newer one", "", "other"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, time.Hour)
				o := tool{t, t.TempDir()}
				o.has("other", time.Now().Add(time.Hour))
				c := f.credential(time.Hour)
				c.Share.Tool = share.Qwen
				if tt.seen != "" {
					c.Share.Seen = share.Digest(hide("rt-" + tt.seen))
				}
				seed(t, f.store, c)
				m := f.managerWith(token.Config{Share: o.open})
				if err := m.Sync(t.Context(), key); err != nil {
					t.Fatal(err)
				}
				o.want(tt.file)
				f.want(m, 0, "at-"+tt.file)
			})
		})
	}
}

// Sync tells what keeps the tool from its part, and leaves readers alone.
func TestSyncFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		o.removes()
		release := o.holds()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := f.m.Sync(ctx, key); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Sync = %v, want its deadline", err)
		}
		if err := f.m.Sync(t.Context(), key); !errors.Is(err, token.ErrBusy) {
			t.Errorf("Sync = %v, want ErrBusy", err)
		}
		f.want(f.m, 0, "at-1")
		release()
		if err := f.m.Sync(t.Context(), key); err != nil {
			t.Errorf("Sync = %v", err)
		}
		o.want("1")
		other := credential.Key{Provider: "acme", Account: "other"}
		if err := f.m.Sync(t.Context(), other); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("Sync of nothing = %v, want ErrNotFound", err)
		}
	})
}

// Nor is a folder that cannot be used hidden from who asks for it.
func TestSyncWithoutFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		if err := errors.Join(os.RemoveAll(o.dir), os.WriteFile(o.dir, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		if err := f.m.Sync(t.Context(), key); err == nil || errors.Is(err, token.ErrBusy) {
			t.Errorf("Sync = %v, want what is wrong with the folder", err)
		}
		f.wantEvents(token.ShareFailed)
		f.want(f.m, 0, "at-1")
	})
}

// While the provider is in trouble, its tool's file is seen to, and that is no
// reason to ask the provider again.
func TestShareWhileBackingOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		f.provider.script[1] = says(429, http.Header{"Retry-After": {"600"}}, "")
		time.Sleep(time.Hour)
		if _, err := f.m.Token(t.Context(), key, 0); err == nil {
			t.Fatal("Token succeeded, want the provider's trouble")
		}
		o.removes()
		f.tend(f.m, time.Minute, nil)
		o.want("1")
		if _, err := f.m.Token(t.Context(), key, 0); err == nil {
			t.Error("Token succeeded, want the provider's trouble")
		}
		f.wantSeen("rt-1")
		o.has("2", time.Now().Add(time.Hour))
		time.Sleep(2 * time.Second)
		f.want(f.m, 0, "at-2")
		f.wantSeen("rt-1")
	})
}

// A logout takes from the tool what is ours, and no more.
func TestUnshare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		c := f.stored()
		f.logout()
		o.has("login", time.Now().Add(time.Hour))
		if err := f.m.Unshare(t.Context(), c); err != nil {
			t.Error(err)
		}
		o.want("login")
		o.has("1", time.Now().Add(time.Hour))
		for range 2 {
			if err := f.m.Unshare(t.Context(), c); err != nil {
				t.Error(err)
			}
			o.want("")
		}
	})
}

// I11: a logout beside a refresh is final for the tool as well.
func TestLogoutDuringSharedRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		c := f.stored()
		unshared := make(chan error, 1)
		f.provider.script[1] = slowly(func() {
			f.logout()
			go func() { unshared <- f.m.Unshare(context.Background(), c) }()
			synctest.Wait()
		})
		time.Sleep(time.Hour)
		if _, err := f.m.Token(t.Context(), key, 0); err == nil {
			t.Error("Token after a logout succeeded")
		}
		if err := <-unshared; err != nil {
			t.Error(err)
		}
		o.want("")
	})
}

// A token that an interrupted refresh may have spent is not given to the tool.
func TestInterruptedIsNotRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, time.Hour)
		dead, err := f.store.BeginRotation(t.Context(), key, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(dead.Reserve(t.Context()), dead.Release(false)); err != nil {
			t.Fatal(err)
		}
		o.removes()
		f.tend(f.m, 5*time.Minute, nil)
		o.want("")
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-2")
		o.want("2")
	})
}

// A file that cannot be restored is tried ever less often, though nobody reads
// the credential.
func TestRestoringBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, 24*time.Hour)
		o.removes()
		if err := os.Mkdir(o.lock(), 0o700); err != nil {
			t.Fatal(err)
		}
		f.tend(f.m, 3*time.Hour, nil)
		if got := len(f.eventTypes()); got < 10 || got > 20 {
			t.Errorf("tried %d times in 3 hours, want one every 16 minutes in the end", got)
		}
	})
}
