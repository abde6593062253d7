package login_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/share"
)

// TestSettledComesBeforeTheEnd: what is to be done with a credential is done
// when its login's end is heard of, also in the process that finishes the login
// of a dead one.
func TestSettledComesBeforeTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		var told []string
		note := func(cfg *login.Config) {
			observe := cfg.Observe
			cfg.Observe = func(e login.Event) {
				observe(e)
				told = append(told, string(e.Type))
			}
			cfg.Settled = func(ctx context.Context, c credential.Credential) {
				stored, err := b.store.Get(ctx, c.Key)
				if err != nil || !stored.Equal(c) {
					t.Errorf("told of %+v, stored is %+v, %v", c, stored, err)
				}
				told = append(told, "settled")
			}
		}
		r := b.registry(note)
		b.wait(r, b.start(r).ID)
		if want := []string{"started", "settled", "authorized"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

// TestSettledThatHangs has its time, and the login ends well all the same.
func TestSettledThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r := b.registry(func(cfg *login.Config) {
			cfg.Settled = func(ctx context.Context, _ credential.Credential) { <-ctx.Done() }
		})
		s := b.start(r)
		time.Sleep(6 * time.Second)
		// Meanwhile a cancel is answered, and comes too late.
		if _, err := r.Cancel(t.Context(), s.ID, "cli-A"); err != nil {
			t.Error(err)
		}
		began := time.Now()
		if end := b.wait(r, s.ID); end.Status() != credential.LoginAuthorized || time.Since(began) > 10*time.Second {
			t.Errorf("ended as %s after %v", end.Status(), time.Since(began))
		}
		b.wantEvents(login.Started, login.Authorized)
	})
}

func TestShareIsCarriedToTheCredential(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"no file", "", ""},
		{"a file", `{"access_token":"a","refresh_token":"theirs","token_type":"Bearer","expiry_date":1}`, share.Digest(secret.New("theirs"))},
		{"a file that the tool spoilt", `{"access_token":"a","refresh_token":"theirs","token_type":"Bearer","expiry_date":null}`, share.Digest(secret.New("theirs"))},
		{"a file that the tool rejects", `{"refresh_token":"theirs"}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := toolFile(t)
			if tt.file != "" {
				write(t, file, tt.file)
			}
			inBubble(t, func(t *testing.T) {
				b := newBench(t, pending, won)
				r := b.registry()
				s, _, err := r.Start(t.Context(), login.Request{Key: key, ShareWith: share.Qwen})
				if err != nil || s.ShareWith != share.Qwen {
					t.Fatalf("started %+v, %v", s.Login, err)
				}
				// Who joins it does not change it.
				if joined, _, err := b.registry().Start(t.Context(), login.Request{Key: key}); err != nil || joined.ShareWith != share.Qwen {
					t.Errorf("joined %+v, %v", joined.Login, err)
				}
				b.wait(r, s.ID)
				c, err := b.store.Get(t.Context(), key)
				if err != nil || c.Share != (credential.Share{Tool: share.Qwen, Seen: tt.want}) {
					t.Errorf("stored %+v, %v", c.Share, err)
				}
			})
		})
	}
}

// TestImportKeepsWhatItSaw: what the tool writes while its file is imported is
// newer, and not to be taken for what the import replaces.
func TestImportKeepsWhatItSaw(t *testing.T) {
	file := toolFile(t)
	write(t, file, `{"access_token":"a","refresh_token":"newer","token_type":"Bearer","expiry_date":1}`)
	inBubble(t, func(t *testing.T) {
		b := newBench(t)
		r := b.registry()
		cred := brought("rt-1")
		cred.Share = credential.Share{Tool: share.Qwen, Seen: share.Digest(cred.RefreshToken)}
		if c, err := r.Import(t.Context(), cred, false); err != nil || c.Share != cred.Share {
			t.Errorf("from the tool's file: %+v, %v", c.Share, err)
		}
		cred.Share.Seen = ""
		want := credential.Share{Tool: share.Qwen, Seen: share.Digest(secret.New("newer"))}
		if c, err := r.Import(t.Context(), cred, true); err != nil || c.Share != want {
			t.Errorf("from elsewhere: %+v, %v", c.Share, err)
		}
	})
}

// toolFile is where the tool's own file would be, in a folder of the test's.
func toolFile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("QWEN_HOME", dir)
	return filepath.Join(dir, "oauth_creds.json")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
