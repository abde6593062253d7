package credentialtest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/usherauth/usher/credential"
)

// follower reads the changes of logins as a process does that follows them.
type follower struct {
	fixture
	cursor string
	known  map[string]uint64 // id -> version, of every login there is
}

// look brings known up to date and returns what it was told.
func (w *follower) look(t *testing.T) credential.LoginChanges {
	t.Helper()
	told, err := w.LoginChanges(w.ctx, w.cursor)
	if err != nil {
		t.Fatalf("LoginChanges(%q): %v", w.cursor, err)
	}
	w.cursor = told.Next
	if told.All {
		w.known = make(map[string]uint64)
		for l, err := range w.ListLogins(w.ctx) {
			if err != nil {
				t.Fatal(err)
			}
			w.known[l.ID] = l.Version
		}
		return told
	}
	for _, c := range told.Logins {
		l, err := w.GetLogin(w.ctx, c.ID)
		switch {
		case errors.Is(err, credential.ErrNotFound):
			delete(w.known, c.ID)
		case err != nil:
			t.Fatal(err)
		default:
			if l.Version < c.Version {
				t.Errorf("%s is at version %d, told was %d", c.ID, l.Version, c.Version)
			}
			w.known[c.ID] = l.Version
		}
	}
	return told
}

// check fails unless the store tells of id, now at version, 0 if it is gone.
func (w *follower) check(t *testing.T, what, id string, version uint64) {
	t.Helper()
	told := w.look(t)
	if got, there := w.known[id]; got != version || there != (version > 0) {
		t.Errorf("after %s: told %+v, %s is known at version %d, want %d", what, told, id, got, version)
	}
	if again := w.look(t); !again.All && len(again.Logins) > 0 {
		t.Errorf("after %s: told twice: %+v", what, again)
	}
}

func testLoginChanges(t *testing.T, f fixture) {
	w := &follower{fixture: f}
	if told := w.look(t); !told.All {
		t.Errorf("the first look = %+v, want all", told)
	}
	owner := f.owner(t)
	l, err := f.CreateLogin(f.ctx, sampleLogin(github, "l1", owner.ID()), 0)
	if err != nil {
		t.Fatal(err)
	}
	w.check(t, "CreateLogin", "l1", 1)
	if told, err := f.LoginChanges(f.ctx, w.cursor); err != nil || told.All {
		t.Errorf("LoginChanges(%q) of a store with logins = %+v, %v, want a place in it", w.cursor, told, err)
	}
	if l, err = f.UpdateLogin(f.ctx, pending(l), 1); err != nil {
		t.Fatal(err)
	}
	w.check(t, "UpdateLogin", "l1", 2)
	if _, err = f.ClaimLogin(f.ctx, "l1", owner.ID()); err != nil {
		t.Fatal(err)
	}
	w.check(t, "ClaimLogin", "l1", 3)
	l.State = credential.Persisting{Won: sampleCredential(github, "l1")}
	if l, err = f.UpdateLogin(f.ctx, l, 3); err != nil {
		t.Fatal(err)
	}
	w.look(t)
	_, cred, err := f.Settle(f.ctx, authorized(l), sampleCredential(github, "l1"))
	if err != nil {
		t.Fatal(err)
	}
	w.check(t, "Settle", "l1", 5)
	f.persisting(t, github, "l2")
	w.look(t)
	if err := f.Delete(f.ctx, github, cred.Generation); err != nil {
		t.Fatal(err)
	}
	w.check(t, "Delete of the key's credential", "l2", 3)
	if err := f.DeleteLogin(f.ctx, "l1"); err != nil {
		t.Fatal(err)
	}
	w.check(t, "DeleteLogin", "l1", 0)

	// A dead owner's start goes with the next one.
	if _, err := f.CreateLogin(f.ctx, sampleLogin(qwen, "l3", owner.ID()), 0); err != nil {
		t.Fatal(err)
	}
	w.check(t, "CreateLogin", "l3", 1)
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.CreateLogin(f.ctx, sampleLogin(work, "l4", ""), 0); err != nil {
		t.Fatal(err)
	}
	w.check(t, "a CreateLogin that replaced it", "l3", 0)

	for _, strange := range []string{"", "x", "x-1", "-", "-5", "99999999", w.cursor + "9"} {
		if told, err := f.LoginChanges(f.ctx, strange); err != nil || !told.All || told.Next == strange {
			t.Errorf("LoginChanges(%q) = %+v, %v, want all", strange, told, err)
		}
	}

	// One that looks late is told all, or everything that happened.
	late := *w
	l, err = f.GetLogin(f.ctx, "l4")
	for range 100 {
		if err != nil {
			t.Fatal(err)
		}
		l, err = f.ClaimLogin(f.ctx, l.ID, "")
	}
	late.check(t, "many changes", "l4", l.Version)
	w.check(t, "many changes", "l4", l.Version)
}

func testLiveLogin(t *testing.T, f fixture) {
	find := func(key credential.Key, want string) {
		t.Helper()
		l, err := f.LiveLogin(f.ctx, key)
		if l.ID != want || (want == "") != errors.Is(err, credential.ErrNotFound) {
			t.Errorf("LiveLogin(%s) = %q, %v, want %q", key, l.ID, err, want)
		}
	}
	find(github, "")
	l, won := f.persisting(t, github, "l1")
	find(github, "l1")
	find(work, "")
	if _, _, err := f.Settle(f.ctx, authorized(l), won); err != nil {
		t.Fatal(err)
	}
	find(github, "")
	f.persisting(t, github, "l2")
	find(github, "l2")
}

func testSharedChanges(t *testing.T, f fixture, dir string) {
	w := &follower{fixture: f}
	w.look(t)
	const each = 20
	other := spawn(t, job{Role: "settle", Dir: dir, N: each, Name: "other"})
	other.tell(t, "go")
	for i := range each {
		key := credential.Key{Provider: "p", Account: fmt.Sprint(i)}
		if _, err := f.CreateLogin(f.ctx, sampleLogin(key, fmt.Sprint("mine-", i), ""), 0); err != nil {
			t.Fatal(err)
		}
		w.look(t)
	}
	other.finish(t)
	w.look(t)
	for i := range each {
		// Created, persisting, authorized; and those of ours that nobody owns
		// are replaced by the next.
		if id := fmt.Sprint("other-", i); w.known[id] != 3 {
			t.Errorf("%s is known at version %d, want 3", id, w.known[id])
		}
	}
	stored := 0
	for l, err := range f.ListLogins(f.ctx) {
		if stored++; err != nil || w.known[l.ID] != l.Version {
			t.Errorf("%s is known at version %d, stored is %d (%v)", l.ID, w.known[l.ID], l.Version, err)
		}
	}
	if stored != len(w.known) {
		t.Errorf("known are %v, stored are %d", w.known, stored)
	}
	if _, err := f.LiveLogin(f.ctx, github); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("LiveLogin after all have ended = %v, want ErrNotFound", err)
	}
	owner := spawn(t, job{Role: "own", Dir: dir})
	owner.tell(t, "go")
	owner.line(t)
	if l, err := f.LiveLogin(f.ctx, github); err != nil || l.ID != "pending" {
		t.Errorf("LiveLogin = %q, %v, want the other process's", l.ID, err)
	}
	w.check(t, "another process's CreateLogin", "starting", 1)
}
