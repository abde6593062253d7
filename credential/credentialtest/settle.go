package credentialtest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/usherauth/usher/credential"
)

func testSettle(t *testing.T, f fixture) {
	l, won := f.persisting(t, github, "l1")
	if _, _, err := f.Settle(f.ctx, l, won); err == nil {
		t.Error("Settle to a state that is not authorized succeeded, want an error")
	}
	gotLogin, gotCred, err := f.Settle(f.ctx, authorized(l), won)
	if err != nil {
		t.Fatal(err)
	}
	if gotLogin.State != authorized(l).State || gotLogin.Version != l.Version+1 {
		t.Errorf("settled login = %+v, want authorized, version %d", gotLogin, l.Version+1)
	}
	want := won
	want.Grant, want.Generation = "l1", 1
	for name, got := range map[string]credential.Credential{"Settle": gotCred, "Get": f.get(t, github)} {
		if !got.Equal(want) {
			t.Errorf("%s = %+v, want %+v", name, got, want)
		}
	}
	stored, err := f.GetLogin(f.ctx, "l1")
	if err != nil || stored.State != authorized(l).State {
		t.Errorf("stored login = %+v, %v, want authorized", stored, err)
	}
	if _, _, err := f.Settle(f.ctx, authorized(l), won); !errors.Is(err, credential.ErrConflict) {
		t.Errorf("second Settle = %v, want ErrConflict", err)
	}
	if again := f.login(t, github, "l2"); again.Generation != 2 || again.Grant != "l2" {
		t.Errorf("next login stored generation %d of grant %s, want 2 of l2", again.Generation, again.Grant)
	}
}

func testSettleConflict(t *testing.T, f fixture) {
	l, won := f.persisting(t, github, "l1")
	stale := l
	stale.Version--
	if _, _, err := f.Settle(f.ctx, authorized(stale), won); !errors.Is(err, credential.ErrConflict) {
		t.Errorf("Settle of an older version = %v, want ErrConflict", err)
	}
	unknown := l
	unknown.ID = "unknown"
	if _, _, err := f.Settle(f.ctx, authorized(unknown), won); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("Settle of an unknown login = %v, want ErrNotFound", err)
	}
	early, err := f.CreateLogin(f.ctx, sampleLogin(qwen, "l2", ""), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Settle(f.ctx, authorized(early), sampleCredential(qwen, "l2")); !errors.Is(err, credential.ErrConflict) {
		t.Errorf("Settle of a login that is not persisting = %v, want ErrConflict", err)
	}
	if _, _, err := f.Settle(f.ctx, authorized(l), sampleCredential(qwen, "l1")); err == nil {
		t.Error("Settle with another key's credential succeeded, want an error")
	}
	for _, key := range []credential.Key{github, qwen} {
		if _, err := f.Get(f.ctx, key); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("Get(%s) afterwards = %v, want ErrNotFound", key, err)
		}
	}
}

func testSettleSuperseded(t *testing.T, f fixture) {
	l, won := f.persisting(t, github, "l1")
	marked := l
	marked.Superseded = true
	if _, err := f.UpdateLogin(f.ctx, marked, l.Version); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Settle(f.ctx, authorized(l), won); !errors.Is(err, credential.ErrSuperseded) {
		t.Errorf("Settle = %v, want ErrSuperseded", err)
	}
	if _, err := f.Get(f.ctx, github); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
}

// settleCrashed brings about what a crash in the middle of Settle leaves: the
// credential is stored, naming the login as its grant, the login is not.
func settleCrashed(t *testing.T, f fixture) (credential.Login, credential.Credential) {
	t.Helper()
	old := f.login(t, github, "l0")
	l, won := f.persisting(t, github, "l1")
	won.Grant = "l1"
	stored, err := f.Update(f.ctx, won, old.Generation)
	if err != nil {
		t.Fatal(err)
	}
	return l, stored
}

func testSettleCrash(t *testing.T, f fixture) {
	l, stored := settleCrashed(t, f)
	got, cred, err := f.Settle(f.ctx, authorized(l), l.State.(credential.Persisting).Won)
	if err != nil || got.Status() != credential.LoginAuthorized {
		t.Fatalf("Settle = %v, %v, want authorized", got.Status(), err)
	}
	if !cred.Equal(stored) || !f.get(t, github).Equal(stored) {
		t.Errorf("the credential was stored again: generation %d, want %d", cred.Generation, stored.Generation)
	}
}

func testSettleCrashLogout(t *testing.T, f fixture) {
	l, stored := settleCrashed(t, f)
	if err := f.Delete(f.ctx, github, stored.Generation); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Settle(f.ctx, authorized(l), l.State.(credential.Persisting).Won); !errors.Is(err, credential.ErrSuperseded) {
		t.Errorf("Settle = %v, want ErrSuperseded", err)
	}
	if _, err := f.Get(f.ctx, github); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
}

// logout is what a logout does: it goes on until nothing is left.
func logout(f fixture, key credential.Key) error {
	for {
		cred, err := f.Get(f.ctx, key)
		if errors.Is(err, credential.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f.Delete(f.ctx, key, cred.Generation); err != nil && !errors.Is(err, credential.ErrConflict) {
			return err
		}
	}
}

func testLogoutBesideSettle(t *testing.T, f fixture) {
	for i := range 20 {
		f.login(t, github, fmt.Sprint("first", i))
		l, won := f.persisting(t, github, fmt.Sprint("second", i))
		both := []func(){
			func() {
				_, _, err := f.Settle(f.ctx, authorized(l), won)
				if err != nil && !errors.Is(err, credential.ErrSuperseded) {
					t.Errorf("Settle: %v", err)
				}
			},
			func() {
				if err := logout(f, github); err != nil {
					t.Errorf("logout: %v", err)
				}
			},
		}
		var wg sync.WaitGroup
		wg.Go(both[i%2]) // each gets a head start in turn
		wg.Go(both[1-i%2])
		wg.Wait()
		if cred, err := f.Get(f.ctx, github); !errors.Is(err, credential.ErrNotFound) {
			t.Fatalf("after the logout there is grant %q, %v, want ErrNotFound", cred.Grant, err)
		}
		// A superseded login is ended by its owner.
		if stored, err := f.GetLogin(f.ctx, l.ID); err == nil && stored.Live() {
			if _, err := f.UpdateLogin(f.ctx, failed(stored), stored.Version); err != nil {
				t.Fatal(err)
			}
		}
	}
}
