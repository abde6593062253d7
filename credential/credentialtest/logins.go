package credentialtest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
)

func testLogins(t *testing.T, f fixture) {
	l, err := f.CreateLogin(f.ctx, sampleLogin(github, "l1", f.owner(t).ID()), 0)
	if err != nil || l.Version != 1 {
		t.Fatalf("CreateLogin = version %d, %v, want 1", l.Version, err)
	}
	if _, err := f.CreateLogin(f.ctx, sampleLogin(qwen, "l1", ""), 0); !errors.Is(err, credential.ErrConflict) {
		t.Errorf("CreateLogin with a taken id = %v, want ErrConflict", err)
	}
	l = pending(l)
	updated, err := f.UpdateLogin(f.ctx, l, 1)
	if err != nil || updated.Version != 2 || updated.Status() != credential.LoginPending {
		t.Errorf("UpdateLogin = version %d, %s, %v, want 2, pending", updated.Version, updated.Status(), err)
	}
	if _, err := f.UpdateLogin(f.ctx, l, 1); !errors.Is(err, credential.ErrConflict) {
		t.Errorf("UpdateLogin of an older version = %v, want ErrConflict", err)
	}
	unknown := l
	unknown.ID = "unknown"
	if _, err := f.UpdateLogin(f.ctx, unknown, 1); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("UpdateLogin of an unknown login = %v, want ErrNotFound", err)
	}
	if err := f.DeleteLogin(f.ctx, "l1"); !errors.Is(err, credential.ErrConflict) {
		t.Errorf("DeleteLogin of a live login = %v, want ErrConflict", err)
	}
	if _, err := f.UpdateLogin(f.ctx, failed(updated), 2); err != nil {
		t.Fatal(err)
	}
	if err := f.DeleteLogin(f.ctx, "l1"); err != nil {
		t.Errorf("DeleteLogin: %v", err)
	}
	if _, err := f.GetLogin(f.ctx, "l1"); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("GetLogin after DeleteLogin = %v, want ErrNotFound", err)
	}
}

func testCreateLoginExists(t *testing.T, f fixture) {
	first, err := f.CreateLogin(f.ctx, sampleLogin(github, "l1", f.owner(t).ID()), 0)
	if err != nil {
		t.Fatal(err)
	}
	won := sampleCredential(github, "l1")
	for _, state := range []credential.LoginState{credential.Starting{}, pending(first).State, credential.Persisting{Won: won}} {
		first.State = state
		if first, err = f.UpdateLogin(f.ctx, first, first.Version); err != nil {
			t.Fatal(err)
		}
		got, err := f.CreateLogin(f.ctx, sampleLogin(github, "l2", ""), 1)
		if !errors.Is(err, credential.ErrLoginExists) || got.ID != "l1" || got.Version != first.Version {
			t.Errorf("beside a %s login: CreateLogin = %q, version %d, %v, want l1, %d, ErrLoginExists", first.Status(), got.ID, got.Version, err, first.Version)
		}
	}
	if _, err := f.CreateLogin(f.ctx, sampleLogin(work, "l3", ""), 0); err != nil {
		t.Errorf("CreateLogin of another account: %v", err)
	}
	if _, err := f.UpdateLogin(f.ctx, failed(first), first.Version); err != nil {
		t.Fatal(err)
	}
	if _, err := f.CreateLogin(f.ctx, sampleLogin(github, "l2", ""), 0); err != nil {
		t.Errorf("CreateLogin after the first ended: %v", err)
	}
}

func testCreateLoginRace(t *testing.T, f fixture) {
	const many = 50
	owner := f.owner(t).ID()
	winners := make(chan string, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			id := fmt.Sprint("l", i)
			got, err := f.CreateLogin(f.ctx, sampleLogin(github, id, owner), 0)
			switch {
			case err == nil && got.ID == id:
				winners <- "won by " + id
			case errors.Is(err, credential.ErrLoginExists):
				winners <- "won by " + got.ID
			default:
				t.Errorf("CreateLogin = %q, %v", got.ID, err)
			}
		})
	}
	wg.Wait()
	close(winners)
	seen := make(map[string]int)
	for w := range winners {
		seen[w]++
	}
	if len(seen) != 1 {
		t.Errorf("winners = %v, want one in everybody's eyes", seen)
	}
}

func testStartingReplaced(t *testing.T, f fixture) {
	owner := f.owner(t)
	if _, err := f.CreateLogin(f.ctx, sampleLogin(github, "l1", owner.ID()), 0); err != nil {
		t.Fatal(err)
	}
	// Of another key, whose person may never come back.
	if _, err := f.CreateLogin(f.ctx, sampleLogin(credential.Key{Provider: "p", Account: "a"}, "l0", owner.ID()), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.CreateLogin(f.ctx, sampleLogin(github, "l2", ""), 0); !errors.Is(err, credential.ErrLoginExists) {
		t.Errorf("CreateLogin while the owner lives = %v, want ErrLoginExists", err)
	}
	for range 2 {
		if err := owner.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	got, err := f.CreateLogin(f.ctx, sampleLogin(github, "l2", ""), 1)
	if err != nil || got.ID != "l2" {
		t.Errorf("CreateLogin after the owner died = %q, %v, want l2", got.ID, err)
	}
	for _, id := range []string{"l0", "l1"} {
		if _, err := f.GetLogin(f.ctx, id); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("GetLogin of the abandoned login %s = %v, want ErrNotFound", id, err)
		}
	}
	// It has a code somebody may approve: not replaced.
	if _, err := f.UpdateLogin(f.ctx, pending(got), got.Version); err != nil {
		t.Fatal(err)
	}
	if l, err := f.CreateLogin(f.ctx, sampleLogin(github, "l3", ""), 0); !errors.Is(err, credential.ErrLoginExists) || l.ID != "l2" {
		t.Errorf("CreateLogin beside a dead owner's pending login = %q, %v, want l2, ErrLoginExists", l.ID, err)
	}
}

func testLoginCap(t *testing.T, f fixture) {
	owner := f.owner(t).ID()
	key := func(i int) credential.Key { return credential.Key{Provider: "p", Account: fmt.Sprint(i)} }
	for i := range 3 {
		if _, err := f.CreateLogin(f.ctx, sampleLogin(key(i), fmt.Sprint("l", i), owner), 3); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.CreateLogin(f.ctx, sampleLogin(key(3), "l3", owner), 3); !errors.Is(err, credential.ErrTooManyLogins) {
		t.Errorf("CreateLogin above the cap = %v, want ErrTooManyLogins", err)
	}
	if l, err := f.CreateLogin(f.ctx, sampleLogin(key(0), "l3", owner), 3); !errors.Is(err, credential.ErrLoginExists) || l.ID != "l0" {
		t.Errorf("joining at the cap = %q, %v, want l0, ErrLoginExists", l.ID, err)
	}
	l, err := f.GetLogin(f.ctx, "l1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.UpdateLogin(f.ctx, failed(l), l.Version); err != nil {
		t.Fatal(err)
	}
	if _, err := f.CreateLogin(f.ctx, sampleLogin(key(3), "l3", owner), 3); err != nil {
		t.Errorf("CreateLogin after one ended: %v", err)
	}
}

func testClaim(t *testing.T, f fixture) {
	first, second := f.owner(t), f.owner(t)
	if first.ID() == second.ID() || first.ID() == "" {
		t.Fatalf("owners are %q and %q, want two names", first.ID(), second.ID())
	}
	if _, err := f.ClaimLogin(f.ctx, "l1", second.ID()); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("ClaimLogin of an unknown login = %v, want ErrNotFound", err)
	}
	l, err := f.CreateLogin(f.ctx, pending(sampleLogin(github, "l1", first.ID())), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ClaimLogin(f.ctx, "l1", second.ID()); !errors.Is(err, credential.ErrOwned) {
		t.Errorf("ClaimLogin while the owner lives = %v, want ErrOwned", err)
	}
	mine, err := f.ClaimLogin(f.ctx, "l1", first.ID())
	if err != nil || mine.Version != l.Version+1 {
		t.Errorf("ClaimLogin by the owner = version %d, %v, want %d", mine.Version, err, l.Version+1)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := f.ClaimLogin(f.ctx, "l1", second.ID())
	device, isPending := got.State.(credential.Pending)
	if err != nil || got.Owner != second.ID() || got.Version != l.Version+2 || !isPending || device.Device.DeviceCode.Reveal() != "dc" {
		t.Errorf("ClaimLogin after the owner died = owner %q, version %d, %+v, %v", got.Owner, got.Version, got.State, err)
	}
	if _, err := f.UpdateLogin(f.ctx, mine, mine.Version); !errors.Is(err, credential.ErrConflict) {
		t.Errorf("UpdateLogin by the former owner = %v, want ErrConflict", err)
	}
	if _, err := f.UpdateLogin(f.ctx, failed(got), got.Version); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ClaimLogin(f.ctx, "l1", second.ID()); !errors.Is(err, credential.ErrConflict) {
		t.Errorf("ClaimLogin of an ended login = %v, want ErrConflict", err)
	}
}

func testUpdateLoginRace(t *testing.T, f fixture) {
	l, err := f.CreateLogin(f.ctx, sampleLogin(github, "l1", f.owner(t).ID()), 0)
	if err != nil {
		t.Fatal(err)
	}
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			mine := l
			mine.State = credential.Persisting{Won: sampleCredential(github, "l1")}
			if _, err := f.UpdateLogin(f.ctx, mine, l.Version); err == nil {
				won.Add(1)
			} else if !errors.Is(err, credential.ErrConflict) {
				t.Errorf("UpdateLogin: %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d claims won, want 1", won.Load())
	}
}

func testListLogins(t *testing.T, f fixture) {
	owner := f.owner(t).ID()
	for i, age := range []time.Duration{2, 3, 1} {
		l := sampleLogin(credential.Key{Provider: "p", Account: fmt.Sprint(i)}, fmt.Sprint("l", i), owner)
		l.CreatedAt = start.Add(-age * time.Minute)
		if _, err := f.CreateLogin(f.ctx, l, 0); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want ...string) {
		t.Helper()
		var got []string
		for l, err := range f.ListLogins(f.ctx) {
			if err != nil {
				t.Error(err)
			}
			got = append(got, fmt.Sprint(l.ID, " ", l.Version))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("ListLogins yields %q, want %q", got, want)
		}
	}
	check("l1 1", "l0 1", "l2 1")
	l, err := f.GetLogin(f.ctx, "l0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.UpdateLogin(f.ctx, failed(l), 1); err != nil {
		t.Fatal(err)
	}
	check("l1 1", "l0 2", "l2 1")
	if err := f.DeleteLogin(f.ctx, "l0"); err != nil {
		t.Fatal(err)
	}
	check("l1 1", "l2 1")
	for range f.ListLogins(f.ctx) {
		break // a range that ends early must not panic
	}
}

func testHostileIDs(t *testing.T, f fixture) {
	for _, id := range []string{"", ".", "..", "../x", "a/b", `a\b`, "a\x00b", "lock", "x.json", "\n"} {
		if _, err := f.GetLogin(f.ctx, id); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("GetLogin(%q) = %v, want ErrNotFound", id, err)
		}
		if _, err := f.ClaimLogin(f.ctx, id, "x"); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("ClaimLogin(%q) = %v, want ErrNotFound", id, err)
		}
		if err := f.DeleteLogin(f.ctx, id); err != nil {
			t.Errorf("DeleteLogin(%q) = %v, want nil", id, err)
		}
	}
}
