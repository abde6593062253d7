package credentialtest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

func testEmpty(t *testing.T, f fixture) {
	if _, err := f.Get(f.ctx, github); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	for cred, err := range f.List(f.ctx) {
		t.Errorf("List yields %v, %v", cred.Key, err)
	}
	for l, err := range f.ListLogins(f.ctx) {
		t.Errorf("ListLogins yields %v, %v", l.ID, err)
	}
	if stamp, err := f.Stamp(f.ctx, github); stamp != "" || err != nil {
		t.Errorf("Stamp = %q, %v, want an empty one", stamp, err)
	}
	if _, err := f.GetLogin(f.ctx, "l1"); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("GetLogin = %v, want ErrNotFound", err)
	}
	if err := f.DeleteLogin(f.ctx, "l1"); err != nil {
		t.Errorf("DeleteLogin = %v, want nil", err)
	}
}

func testUpdate(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	next := refreshed(cred, "2")
	next.Generation = 99 // the store's to assign
	got, err := f.Update(f.ctx, next, cred.Generation)
	next.Generation = cred.Generation + 1
	if err != nil || !got.Equal(next) || !f.get(t, github).Equal(next) {
		t.Errorf("Update = generation %d, %v, want %d", got.Generation, err, next.Generation)
	}
	for _, generation := range []uint64{0, cred.Generation, cred.Generation + 2} {
		if _, err := f.Update(f.ctx, refreshed(cred, "3"), generation); !errors.Is(err, credential.ErrConflict) || errors.Is(err, credential.ErrNotFound) {
			t.Errorf("Update if %d = %v, want ErrConflict alone", generation, err)
		}
	}
	if !f.get(t, github).Equal(next) {
		t.Error("a refused Update changed the credential")
	}
}

func testNoCredential(t *testing.T, f fixture) {
	check := func(when string) {
		t.Helper()
		for generation := range uint64(4) {
			_, err := f.Update(f.ctx, sampleCredential(github, "1"), generation)
			if !errors.Is(err, credential.ErrConflict) || !errors.Is(err, credential.ErrNotFound) {
				t.Errorf("%s: Update if %d = %v, want ErrConflict and ErrNotFound", when, generation, err)
			}
			err = f.Delete(f.ctx, github, generation)
			if !errors.Is(err, credential.ErrConflict) || !errors.Is(err, credential.ErrNotFound) {
				t.Errorf("%s: Delete if %d = %v, want ErrConflict and ErrNotFound", when, generation, err)
			}
		}
	}
	check("never stored")
	cred := f.login(t, github, "l1")
	if err := f.Delete(f.ctx, github, cred.Generation); err != nil {
		t.Fatal(err)
	}
	check("deleted")
}

func testDelete(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	if err := f.Delete(f.ctx, github, cred.Generation+1); !errors.Is(err, credential.ErrConflict) {
		t.Errorf("Delete of another generation = %v, want ErrConflict", err)
	}
	f.get(t, github)
	if err := f.Delete(f.ctx, github, cred.Generation); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Get(f.ctx, github); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	for cred, err := range f.List(f.ctx) {
		t.Errorf("List yields %v, %v", cred.Key, err)
	}
	again := f.login(t, github, "l2")
	if want := cred.Generation + 2; again.Generation != want {
		t.Errorf("generation after the tombstone = %d, want %d", again.Generation, want)
	}
}

func testDeleteSupersedes(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	l, won := f.persisting(t, github, "l2")
	other, otherWon := f.persisting(t, qwen, "l3")
	if err := f.Delete(f.ctx, github, cred.Generation); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Settle(f.ctx, authorized(l), won); !errors.Is(err, credential.ErrSuperseded) {
		t.Errorf("Settle of a login begun before the logout = %v, want ErrSuperseded", err)
	}
	marked, err := f.GetLogin(f.ctx, "l2")
	if err != nil || !marked.Superseded || marked.Version != l.Version+1 {
		t.Errorf("login = superseded %v, version %d, %v, want superseded, version %d", marked.Superseded, marked.Version, err, l.Version+1)
	}
	if ended, err := f.GetLogin(f.ctx, "l1"); err != nil || ended.Superseded {
		t.Errorf("the ended login: superseded %v, %v, want untouched", ended.Superseded, err)
	}
	if _, _, err := f.Settle(f.ctx, authorized(other), otherWon); err != nil {
		t.Errorf("Settle of another key's login = %v", err)
	}
}

func testList(t *testing.T, f fixture) {
	for i, key := range []credential.Key{work, qwen, github} {
		f.login(t, key, fmt.Sprint("l", i))
	}
	check := func(want ...credential.Credential) {
		t.Helper()
		i := 0
		for cred, err := range f.List(f.ctx) {
			if err != nil || i >= len(want) || !cred.Equal(want[i]) {
				t.Errorf("List yields %s, generation %d, %v at %d, want %d credentials in order", cred.Key, cred.Generation, err, i, len(want))
			}
			i++
		}
		if i != len(want) {
			t.Errorf("List yields %d credentials, want %d", i, len(want))
		}
	}
	check(f.get(t, github), f.get(t, work), f.get(t, qwen))
	if _, err := f.Update(f.ctx, refreshed(f.get(t, work), "new"), 1); err != nil {
		t.Fatal(err)
	}
	check(f.get(t, github), f.get(t, work), f.get(t, qwen))
	if err := f.Delete(f.ctx, github, 1); err != nil {
		t.Fatal(err)
	}
	check(f.get(t, work), f.get(t, qwen))
	for range f.List(f.ctx) {
		break // a range that ends early must not panic
	}
}

// testStamp writes in quick succession: stamps must differ however coarse the
// clock of the file system is.
func testStamp(t *testing.T, f fixture) {
	seen := make(map[string]uint64)
	check := func(generation uint64) {
		t.Helper()
		stamp, err := f.Stamp(f.ctx, github)
		if err != nil || stamp == "" {
			t.Fatalf("Stamp = %q, %v", stamp, err)
		}
		if before, ok := seen[stamp]; ok {
			t.Fatalf("generations %d and %d have the stamp %q", before, generation, stamp)
		}
		seen[stamp] = generation
		if again, err := f.Stamp(f.ctx, github); again != stamp || err != nil {
			t.Fatalf("second Stamp = %q, %v, want %q", again, err, stamp)
		}
	}
	cred := f.login(t, github, "l1")
	check(cred.Generation)
	for range 50 {
		var err error
		if cred, err = f.Update(f.ctx, cred, cred.Generation); err != nil {
			t.Fatal(err)
		}
		check(cred.Generation)
	}
	r := f.rotation(t, github)
	defer release(t, r, false)
	if err := r.Reserve(f.ctx); err != nil {
		t.Fatal(err)
	}
	cred, err := r.Commit(f.ctx, refreshed(cred, "2"))
	if err != nil {
		t.Fatal(err)
	}
	check(cred.Generation)
	if err := f.Delete(f.ctx, github, cred.Generation); err != nil {
		t.Fatal(err)
	}
	check(cred.Generation + 1)
}

func testNoAliases(t *testing.T, f fixture) {
	l, _ := f.persisting(t, github, "l1")
	won := sampleCredential(github, "l1")
	wonScope := func(l credential.Login) *string { return &l.State.(credential.Persisting).Won.Scopes[0] }
	l.Scopes[0], *wonScope(l) = "changed", "changed"
	for l, err := range f.ListLogins(f.ctx) {
		if err != nil || l.Scopes[0] == "changed" || *wonScope(l) == "changed" {
			t.Errorf("writing to a returned login changed the stored one (%v)", err)
		}
		l.Scopes[0], *wonScope(l) = "changed", "changed"
	}
	l, err := f.GetLogin(f.ctx, "l1")
	if err != nil || l.Scopes[0] == "changed" || *wonScope(l) == "changed" {
		t.Errorf("writing to a listed login changed the stored one (%v)", err)
	}
	if _, _, err := f.Settle(f.ctx, authorized(l), won); err != nil {
		t.Fatal(err)
	}
	won.Scopes[0] = "changed"
	for range 2 {
		for cred, err := range f.List(f.ctx) {
			if err != nil || cred.Scopes[0] == "changed" {
				t.Errorf("writing to a listed or given credential changed the stored one (%v)", err)
			}
			cred.Scopes[0] = "changed"
		}
		cred := f.get(t, github)
		if cred.Scopes[0] == "changed" {
			t.Error("writing to a listed or given credential changed the stored one")
		}
		cred.Scopes[0] = "changed"
	}
	r := f.rotation(t, github)
	defer release(t, r, true)
	r.Record().Scopes[0] = "changed"
	if r.Record().Scopes[0] == "changed" {
		t.Error("writing to a rotation's record changed it")
	}
}

func testFields(t *testing.T, f fixture) {
	prompt := credential.Prompt{
		UserCode: "AB-CD", VerificationURI: "https://as.test/device",
		VerificationURIComplete: "https://as.test/device?c=AB-CD",
	}
	link := credential.Prompt{AuthorizationURI: "https://as.test/authorize?state=st"}
	for i, state := range []credential.LoginState{
		credential.Starting{},
		credential.Pending{Device: credential.DeviceGrant{
			DeviceCode: secret.New("dc"), CodeVerifier: secret.New("v"), Prompt: prompt,
		}},
		credential.Persisting{
			Prompt: prompt, Won: sampleCredential(work, "l1"), CancelAsked: true, CancelledBy: "client-2",
		},
		credential.Ended{
			Status: credential.LoginDenied, At: start.Add(2),
			Failure: credential.Failure{Code: "access_denied", Hint: "ask again", FromProvider: true},
		},
		credential.Ended{Status: credential.LoginCancelled, At: start.Add(2), CancelledBy: "client-2"},
		credential.AwaitingCode{Code: credential.CodeGrant{
			State: secret.New("st"), CodeVerifier: secret.New("v"),
			RedirectURI: "http://127.0.0.1:1/cb", AuthorizationURI: "https://as.test/authorize?state=st",
		}},
		credential.Exchanging{Prompt: link},
		credential.Persisting{Prompt: link, Won: sampleCredential(work, "l1")},
	} {
		method := credential.MethodDevice
		if i > 4 {
			method = credential.MethodCode
		}
		id := fmt.Sprint("l", i)
		want := credential.Login{
			ID: id, Key: credential.Key{Provider: "p", Account: id}, Method: method,
			Binding: sampleCredential(work, "").Binding, Scopes: []string{"a", "b"},
			Initiator: "client-1", Origin: "me@host", Trace: "trace", ShareWith: "qwen", Owner: "nobody",
			CreatedAt: start, ExpiresAt: start.Add(1), Interval: 5, Superseded: true, State: state,
		}
		if _, err := f.CreateLogin(f.ctx, want, 0); err != nil {
			t.Fatal(err)
		}
		want.Version = 1
		got, err := f.GetLogin(f.ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		wantForm, err := credential.EncodeLogin(want)
		if err != nil {
			t.Fatal(err)
		}
		if gotForm, err := credential.EncodeLogin(got); err != nil || string(gotForm) != string(wantForm) {
			t.Errorf("a login changed in the store (%v): %+v, want %+v", err, got, want)
		}
	}
}

func testConcurrentUpdates(t *testing.T, f fixture) {
	const writers, rounds = 8, 10
	cred := f.login(t, github, "l1")
	for round := range rounds {
		var won atomic.Int32
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				_, err := f.Update(f.ctx, refreshed(cred, fmt.Sprint(round, "-", w)), cred.Generation)
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, credential.ErrConflict) {
					t.Errorf("Update: %v", err)
				}
			})
		}
		wg.Wait()
		next := f.get(t, github)
		if won.Load() != 1 || next.Generation != cred.Generation+1 {
			t.Fatalf("%d updates won, generation %d, want 1 and %d", won.Load(), next.Generation, cred.Generation+1)
		}
		cred = next
	}
}
