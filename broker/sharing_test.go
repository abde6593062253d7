package broker_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/event"
	"github.com/usherauth/usher/sandbox"
	"github.com/usherauth/usher/share"
)

// inSharedWorld runs f with the provider "shared", which shares by default, and
// the folder of a tool that has never run.
func inSharedWorld(t *testing.T, f func(t *testing.T, w *world, qwen *share.File)) {
	folder := filepath.Join(t.TempDir(), ".qwen")
	qwen, err := share.Open(share.Qwen, func(name string) string {
		return map[string]string{"QWEN_HOME": folder}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	inWorld(t, sandbox.Config{TokenLifetime: 5 * time.Minute}, func(t *testing.T, w *world) {
		file := "issuer = \"http://127.0.0.1:9400\"\nclient_id = \"demo\"\nshare_with = \"qwen\"\n"
		if err := os.WriteFile(filepath.Join(w.dir, "shared.toml"), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		f(t, w, qwen)
	})
}

// sharing makes a broker share with the tool's file, in the time of the bubble.
func sharing(qwen *share.File) func(*broker.Config) {
	return func(c *broker.Config) {
		c.Share = func(string) (*share.File, error) { return qwen, nil }
		c.Clock = bubbleClock{}
	}
}

// bubbleClock knows no boot, whose clock goes on outside of the bubble.
type bubbleClock struct{}

func (bubbleClock) Now() credential.Instant { return credential.Instant{Wall: time.Now().Round(0)} }

// enter logs in and returns the credential.
func (w *world) enter(b *broker.Broker, r api.StartLogin) api.Credential {
	w.t.Helper()
	l, err := b.StartLogin(w.t.Context(), r)
	if err != nil {
		w.t.Fatalf("StartLogin: %v", err)
	}
	l, err = b.WaitLogin(w.t.Context(), l.ID)
	if err != nil || l.Credential == nil {
		w.t.Fatalf("WaitLogin = %+v, %v", l, err)
	}
	return *l.Credential
}

// wantShared checks that the tool has the token that b hands out.
func (w *world) wantShared(b *broker.Broker, key string, qwen *share.File) {
	w.t.Helper()
	got, err := b.Token(w.t.Context(), api.TokenRequest{Key: key})
	if err != nil {
		w.t.Fatal(err)
	}
	found, err := qwen.Read()
	if err != nil || found.AccessToken.Reveal() != got.AccessToken {
		w.t.Errorf("the tool's file has another token than the broker, or %v", err)
	}
}

func wantNoFile(t *testing.T, qwen *share.File) {
	t.Helper()
	if _, err := os.Lstat(qwen.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the tool has a file: %v", err)
	}
}

// next is the next event of a type.
func next(t *testing.T, sub *event.Subscription, typ string) api.Event {
	t.Helper()
	for {
		e, err := sub.Next(t.Context())
		if err != nil {
			t.Fatalf("waiting for %s: %v", typ, err)
		}
		if e.Type == typ {
			return e
		}
	}
}

func TestSharing(t *testing.T) {
	inSharedWorld(t, func(t *testing.T, w *world, qwen *share.File) {
		b := w.broker(sharing(qwen), func(c *broker.Config) { c.Daemon = true })
		sub := b.Events().Subscribe("")
		if c := w.enter(b, api.StartLogin{Key: "shared"}); c.ShareWith != share.Qwen {
			t.Errorf("the login made %+v", c)
		}
		w.wantShared(b, "shared", qwen) // at the end of the login already
		if e := next(t, sub, api.EventCredentialStored); e.Credential.ShareWith != share.Qwen {
			t.Errorf("event %+v", e.Credential)
		}
		next(t, sub, api.EventCredentialRefreshed) // in the background, nobody asking
		w.wantShared(b, "shared", qwen)
		if n := w.as.Record().RefreshRequests; n != 1 {
			t.Errorf("%d refresh requests, want 1", n)
		}

		if err := os.Remove(qwen.Path()); err != nil {
			t.Fatal(err)
		}
		if e := next(t, sub, api.EventCredentialShareRestored); e.Credential == nil || e.Credential.Key != "shared" || e.Credential.ShareWith != share.Qwen {
			t.Errorf("event %+v", e)
		}
		w.wantShared(b, "shared", qwen)

		out, err := b.Logout(t.Context(), api.LogoutRequest{Key: "shared"})
		if err != nil || !out.Removed || out.Unshared != share.Qwen || out.Error != nil {
			t.Errorf("Logout = %+v, %v", out, err)
		}
		wantNoFile(t, qwen)
	})
}

// Who is shared with is decided by what is asked for, by what was before, and by
// the provider, in this order.
func TestSharingByDefault(t *testing.T) {
	inSharedWorld(t, func(t *testing.T, w *world, qwen *share.File) {
		b := w.broker(sharing(qwen))
		want := func(r api.StartLogin, tool string) {
			t.Helper()
			if c := w.enter(b, r); c.ShareWith != tool {
				t.Errorf("%+v is shared with %q, want %q", r, c.ShareWith, tool)
			}
		}
		want(api.StartLogin{Key: "shared/work"}, "")
		want(api.StartLogin{Key: "sandbox"}, "")
		want(api.StartLogin{Key: "shared", ShareWith: api.ShareNone}, "")
		want(api.StartLogin{Key: "shared"}, "")
		wantNoFile(t, qwen)
		if _, err := b.Logout(t.Context(), api.LogoutRequest{Key: "shared"}); err != nil {
			t.Fatal(err)
		}
		want(api.StartLogin{Key: "shared"}, share.Qwen)
		want(api.StartLogin{Key: "shared"}, share.Qwen)
		want(api.StartLogin{Key: "shared", ShareWith: api.ShareNone}, "")
		want(api.StartLogin{Key: "shared/work", ShareWith: share.Qwen}, share.Qwen)
		want(api.StartLogin{Key: "shared/work"}, share.Qwen)
		w.wantShared(b, "shared/work", qwen)
	})
}

// The one file of a tool has room for one credential.
func TestSharingTwice(t *testing.T) {
	inSharedWorld(t, func(t *testing.T, w *world, qwen *share.File) {
		b := w.broker(sharing(qwen))
		refused := func(why string, r api.StartLogin, code api.Code, says string) {
			t.Helper()
			before := w.as.Record().DeviceAuthorizations
			l, err := b.StartLogin(t.Context(), r)
			e := api.AsError(err)
			if e == nil || e.Code != code || !strings.Contains(e.Message, says) || code == api.CodeConflict && e.Hint == "" {
				t.Errorf("%s: %+v, %+v", why, l, e)
			}
			if n := w.as.Record().DeviceAuthorizations; n != before {
				t.Errorf("%s: the provider was asked all the same", why)
			}
		}
		refused("an unknown tool", api.StartLogin{Key: "sandbox", ShareWith: "vim"}, api.CodeInvalidRequest, "vim")
		pending, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox", ShareWith: share.Qwen})
		if err != nil {
			t.Fatal(err)
		}
		refused("a pending login of another key", api.StartLogin{Key: "sandbox/work", ShareWith: share.Qwen}, api.CodeConflict, "sandbox is shared with qwen already")
		refused("by default too", api.StartLogin{Key: "shared"}, api.CodeConflict, "sandbox is shared with qwen already")
		refused("joined with less", api.StartLogin{Key: "sandbox", ShareWith: api.ShareNone}, api.CodeConflict, "will be shared with qwen")
		if again, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"}); err != nil || !again.Attached {
			t.Errorf("joining: %+v, %v", again, err)
		}
		if _, err := b.WaitLogin(t.Context(), pending.ID); err != nil {
			t.Fatal(err)
		}
		refused("a credential of another key", api.StartLogin{Key: "sandbox/work", ShareWith: share.Qwen}, api.CodeConflict, "sandbox is shared with qwen already")
		w.enter(b, api.StartLogin{Key: "shared", ShareWith: api.ShareNone})
		w.enter(b, api.StartLogin{Key: "sandbox"}) // one's own is no other

		plain, err := b.StartLogin(t.Context(), api.StartLogin{Key: "shared"})
		if err != nil {
			t.Fatal(err)
		}
		refused("joined with more", api.StartLogin{Key: "shared", ShareWith: share.Qwen}, api.CodeConflict, "sandbox is shared with qwen already")
		if _, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"}); err != nil {
			t.Fatal(err)
		}
		refused("joined with more", api.StartLogin{Key: "shared", ShareWith: share.Qwen}, api.CodeConflict, "will be shared with nothing")
		if _, err := b.WaitLogin(t.Context(), plain.ID); err != nil {
			t.Fatal(err)
		}
	})
}

// A file that cannot be written fails neither the login nor the logout.
func TestSharingWithAFileInTheWay(t *testing.T) {
	inSharedWorld(t, func(t *testing.T, w *world, qwen *share.File) {
		b := w.broker(sharing(qwen))
		if err := os.MkdirAll(qwen.Path(), 0o700); err != nil { // a folder
			t.Fatal(err)
		}
		if c := w.enter(b, api.StartLogin{Key: "shared"}); c.ShareWith != share.Qwen {
			t.Errorf("the login made %+v", c)
		}
		if _, err := b.Token(t.Context(), api.TokenRequest{Key: "shared"}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		out, err := b.Logout(t.Context(), api.LogoutRequest{Key: "shared"})
		if err != nil || !out.Removed || out.Unshared != "" || out.Revocation != api.RevocationRevoked || out.Error == nil || !strings.Contains(out.Error.Hint, "qwen") {
			t.Errorf("Logout = %+v, %+v, %v", out, out.Error, err)
		}
	})
}

// A logout tells of all that it could not do, not of the first alone.
func TestLogoutTellsAllThatFailed(t *testing.T) {
	inSharedWorld(t, func(t *testing.T, w *world, qwen *share.File) {
		b := w.broker(sharing(qwen))
		if err := os.MkdirAll(qwen.Path(), 0o700); err != nil { // a folder
			t.Fatal(err)
		}
		w.enter(b, api.StartLogin{Key: "shared"})
		if err := w.as.SetFaults(sandbox.Faults{{Endpoint: "revoke", Do: sandbox.Action{Status: 500}}}); err != nil {
			t.Fatal(err)
		}
		out, err := b.Logout(t.Context(), api.LogoutRequest{Key: "shared"})
		if err != nil || !out.Removed || out.Error == nil {
			t.Fatalf("Logout = %+v, %v, want it done, with an error in it", out, err)
		}
		for _, part := range []string{"revocation at the provider", "the file of qwen"} {
			if !strings.Contains(out.Error.Hint, part) {
				t.Errorf("Logout tells %q, want %q too", out.Error.Hint, part)
			}
		}
	})
}
