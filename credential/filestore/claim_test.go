package filestore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
)

// Claims that are made together turn out as if they had been made one by one.
func TestClaimsAtTheSameTime(t *testing.T) {
	const n = 150 // more than are written at once
	dir := t.TempDir()
	s, other := open(t, dir), open(t, dir)
	for i := range n {
		create(t, s, fmt.Sprint("l", i))
	}
	ended, err := s.GetLogin(t.Context(), "l0")
	if err != nil {
		t.Fatal(err)
	}
	ended.State = credential.Ended{Status: credential.LoginCancelled, At: time.Now().UTC().Round(0)}
	if _, err := s.UpdateLogin(t.Context(), ended, ended.Version); err != nil {
		t.Fatal(err)
	}
	_, cursor := changes(t, other, "")
	var owners [2]credential.Owner
	for i := range owners {
		if owners[i], err = s.NewOwner(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		lost int
	)
	for i := range n {
		for _, owner := range owners {
			wg.Go(func() {
				id := fmt.Sprint("l", i)
				l, err := s.ClaimLogin(t.Context(), id, owner.ID())
				mu.Lock()
				defer mu.Unlock()
				switch {
				case i == 0 && errors.Is(err, credential.ErrConflict):
				case i == 0:
					t.Errorf("claim of an ended login: %v, want ErrConflict", err)
				case errors.Is(err, credential.ErrOwned):
					lost++
				case err != nil || l.ID != id || l.Owner != owner.ID() || l.Version != 2:
					t.Errorf("claim of %s: %s of %q, version %d, %v", id, l.ID, l.Owner, l.Version, err)
				}
			})
		}
	}
	for range 10 {
		wg.Go(func() {
			if _, err := s.ClaimLogin(t.Context(), "nobody", owners[0].ID()); !errors.Is(err, credential.ErrNotFound) {
				t.Errorf("claim of an unknown login: %v, want ErrNotFound", err)
			}
		})
	}
	wg.Wait()
	if lost != n-1 {
		t.Errorf("%d claims found the login owned, want one for each of %d logins", lost, n-1)
	}

	ids, _ := changes(t, other, cursor)
	if len(ids) != n-1 {
		t.Errorf("%d changes are told, want %d", len(ids), n-1)
	}
	// The index knows them: none of the keys but the ended one's is free.
	for i := range n {
		key := credential.Key{Provider: "p", Account: fmt.Sprint("l", i)}
		_, err := s.CreateLogin(t.Context(), pending(key, fmt.Sprint("new", i)), 0)
		if want := i > 0; errors.Is(err, credential.ErrLoginExists) != want {
			t.Errorf("another login of %s: %v", key, err)
		}
	}
	if _, err := s.CreateLogin(t.Context(), pending(credential.Key{Provider: "p", Account: "z"}, "z"), n); !errors.Is(err, credential.ErrTooManyLogins) {
		t.Errorf("one more than %d: %v", n, err)
	}
}
