package credentialtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

func testRotationNotFound(t *testing.T, f fixture) {
	if _, err := f.BeginRotation(f.ctx, github, 1); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("BeginRotation = %v, want ErrNotFound", err)
	}
	cred := f.login(t, github, "l1")
	if err := f.Delete(f.ctx, github, cred.Generation); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first must have given the lock back
		if _, err := f.BeginRotation(f.ctx, github, 1); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("BeginRotation after a logout = %v, want ErrNotFound", err)
		}
	}
}

// steps runs the steps before the request.
func steps(t *testing.T, f fixture, r credential.Rotation) {
	t.Helper()
	if err := r.Reserve(f.ctx); err != nil {
		t.Fatalf("Reserve: %v", err)
	}
	if err := r.MaySend(f.ctx); err != nil {
		t.Fatalf("MaySend: %v", err)
	}
}

func testRotation(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	for i := range 3 {
		r := f.rotation(t, github)
		if !r.Record().Equal(cred) || r.Interrupted() {
			t.Errorf("record is generation %d, interrupted %v, want %d, false", r.Record().Generation, r.Interrupted(), cred.Generation)
		}
		steps(t, f, r)
		if !f.get(t, github).Equal(cred) {
			t.Error("Reserve changed the credential")
		}
		next := refreshed(cred, fmt.Sprint(i))
		next.Generation, next.Grant = 99, "not the caller's to choose"
		got, err := r.Commit(f.ctx, next)
		if err != nil {
			t.Fatal(err)
		}
		next.Generation, next.Grant = cred.Generation+1, cred.Grant
		if !got.Equal(next) || !f.get(t, github).Equal(next) {
			t.Errorf("Commit stored %+v, want %+v", got, next)
		}
		release(t, r, false)
		release(t, r, false)
		cred = got
	}
	r := f.rotation(t, github)
	defer release(t, r, true)
	if _, err := r.Commit(f.ctx, sampleCredential(qwen, "1")); err == nil {
		t.Error("Commit of another key succeeded, want an error")
	}
}

func testSecondCommit(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	r := f.rotation(t, github)
	steps(t, f, r)
	first, err := r.Commit(f.ctx, refreshed(cred, "2"))
	if err != nil {
		t.Fatal(err)
	}
	first.Alias = "acct-other1"
	second, err := r.Commit(f.ctx, first)
	if err != nil || second.Generation != cred.Generation+2 || !f.get(t, github).Equal(second) {
		t.Errorf("second Commit = generation %d, %v, want %d", second.Generation, err, cred.Generation+2)
	}
	release(t, r, false)
}

func testRotationExclusion(t *testing.T, f fixture) {
	const workers, rounds = 8, 5
	f.login(t, github, "l1")
	f.login(t, qwen, "l2")
	var held atomic.Int32
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				r, err := f.BeginRotation(f.ctx, github, 0)
				if err != nil {
					t.Errorf("BeginRotation: %v", err)
					return
				}
				if n := held.Add(1); n != 1 {
					t.Errorf("%d rotations at once", n)
				}
				if err := r.Reserve(f.ctx); err != nil {
					t.Errorf("Reserve: %v", err)
				}
				if _, err := r.Commit(f.ctx, refreshed(r.Record(), fmt.Sprint(w, "-", i))); err != nil {
					t.Errorf("Commit: %v", err)
				}
				held.Add(-1)
				if err := r.Release(false); err != nil {
					t.Errorf("Release: %v", err)
				}
			}
		})
	}
	// Another key's rotation is not in the way.
	other := f.rotation(t, qwen)
	release(t, other, true)
	wg.Wait()
	if got, want := f.get(t, github).Generation, uint64(1+workers*rounds); got != want {
		t.Errorf("generation = %d, want %d", got, want)
	}
}

func testRotationWait(t *testing.T, f fixture) {
	f.login(t, github, "l1")
	r := f.rotation(t, github)
	ctx, cancel := context.WithCancel(f.ctx)
	done := make(chan error)
	go func() {
		_, err := f.BeginRotation(ctx, github, 0)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("BeginRotation under a held lock = %v, want context.Canceled", err)
	}
	short, cancel := context.WithTimeout(f.ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := f.BeginRotation(short, github, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("BeginRotation under a held lock = %v, want context.DeadlineExceeded", err)
	}
	// Other operations do not wait for it.
	cred, err := f.Update(f.ctx, f.get(t, github), 1)
	if err != nil {
		t.Errorf("Update during a rotation: %v", err)
	}
	f.login(t, github, "l2")
	if err := f.Delete(f.ctx, github, cred.Generation+1); err != nil {
		t.Errorf("Delete during a rotation: %v", err)
	}
	release(t, r, true)
}

func testCommitCancelled(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	ctx, cancel := context.WithCancel(f.ctx)
	r, err := f.BeginRotation(ctx, github, cred.Generation)
	if err != nil {
		t.Fatal(err)
	}
	defer release(t, r, false)
	steps(t, f, r)
	cancel()
	if _, err := r.Commit(ctx, refreshed(cred, "2")); err != nil {
		t.Errorf("Commit under a cancelled context = %v, want nil", err)
	}
}

func testInterrupted(t *testing.T, f fixture) {
	check := func(when string, want, unspent bool, then func(credential.Rotation)) {
		t.Helper()
		r := f.rotation(t, github)
		if r.Interrupted() != want {
			t.Errorf("%s: Interrupted = %v, want %v", when, r.Interrupted(), want)
		}
		if then != nil {
			then(r)
		}
		release(t, r, unspent)
	}
	reserve := func(r credential.Rotation) { steps(t, f, r) }
	f.login(t, github, "l1")
	check("new", false, false, nil)
	check("nothing reserved", false, true, reserve)
	check("released unspent", false, false, reserve)
	check("left after reserve", true, true, reserve)
	check("released unspent by another", true, true, nil)
	check("still unspent by another", true, false, func(r credential.Rotation) {
		steps(t, f, r)
		if _, err := r.Commit(f.ctx, refreshed(r.Record(), "2")); err != nil {
			t.Fatal(err)
		}
	})
	check("committed", false, false, reserve)
	if _, err := f.Update(f.ctx, f.get(t, github), f.get(t, github).Generation); err != nil {
		t.Fatal(err)
	}
	check("same token in a newer record", true, false, nil)
	f.login(t, github, "l2")
	check("another login", false, false, nil)
}

func testReserveOvertaken(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	r := f.rotation(t, github)
	if err := f.Delete(f.ctx, github, cred.Generation); err != nil {
		t.Fatal(err)
	}
	if err := r.Reserve(f.ctx); !errors.Is(err, credential.ErrConflict) {
		t.Errorf("Reserve after a logout = %v, want ErrConflict", err)
	}
	release(t, r, true)
}

func testCommitAfterLogout(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	r := f.rotation(t, github)
	steps(t, f, r)
	if err := f.Delete(f.ctx, github, cred.Generation); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := r.Commit(f.ctx, refreshed(cred, "2")); !errors.Is(err, credential.ErrSuperseded) {
			t.Errorf("Commit after a logout = %v, want ErrSuperseded", err)
		}
	}
	release(t, r, false)
	if _, err := f.Get(f.ctx, github); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	if _, err := f.BeginRotation(f.ctx, github, 0); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("BeginRotation = %v, want ErrNotFound", err)
	}
	again := f.login(t, github, "l2")
	r = f.rotation(t, github)
	defer release(t, r, true)
	if !r.Record().Equal(again) {
		t.Errorf("after a new login the record is grant %s, generation %d, want %s, %d",
			r.Record().Grant, r.Record().Generation, again.Grant, again.Generation)
	}
}

func testCommitAfterLogin(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	r := f.rotation(t, github)
	steps(t, f, r)
	newer := f.login(t, github, "l2")
	if _, err := r.Commit(f.ctx, refreshed(cred, "2")); !errors.Is(err, credential.ErrSuperseded) {
		t.Errorf("Commit after another login = %v, want ErrSuperseded", err)
	}
	release(t, r, false)
	r = f.rotation(t, github)
	defer release(t, r, true)
	if !r.Record().Equal(newer) || r.Interrupted() {
		t.Errorf("record is grant %s, interrupted %v, want %s, false", r.Record().Grant, r.Interrupted(), newer.Grant)
	}
}

// A rotation's answer is the only copy of the login: a change of the record
// that does not touch the refresh token must not cost it.
func testCommitBesideUpdate(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	r := f.rotation(t, github)
	steps(t, f, r)
	updated, err := f.Update(f.ctx, cred, cred.Generation)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Commit(f.ctx, refreshed(cred, "2")); !errors.Is(err, credential.ErrSuperseded) {
		t.Errorf("Commit beside an update = %v, want ErrSuperseded", err)
	}
	release(t, r, false)
	want := refreshed(cred, "2")
	want.Generation = updated.Generation + 1
	for range 2 {
		r = f.rotation(t, github)
		if !r.Record().Equal(want) || r.Interrupted() || !f.get(t, github).Equal(want) {
			t.Errorf("record is generation %d, interrupted %v, want the answer kept aside as %d, false",
				r.Record().Generation, r.Interrupted(), want.Generation)
		}
		release(t, r, true)
	}
}

func testDiscard(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	r := f.rotation(t, github)
	steps(t, f, r)
	updated, err := f.Update(f.ctx, cred, cred.Generation)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Commit(f.ctx, refreshed(cred, "2")); !errors.Is(err, credential.ErrSuperseded) {
		t.Fatalf("Commit = %v, want ErrSuperseded", err)
	}
	for range 2 {
		if err := r.Discard(f.ctx); err != nil {
			t.Errorf("Discard: %v", err)
		}
	}
	release(t, r, false)
	r = f.rotation(t, github)
	defer release(t, r, true)
	if !r.Record().Equal(updated) {
		t.Errorf("record is generation %d, want %d: what was discarded came back", r.Record().Generation, updated.Generation)
	}
}

func testSalvage(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	r := f.rotation(t, github)
	steps(t, f, r)
	if err := r.Salvage(f.ctx, secret.New("<html>rt-2</html>")); err != nil {
		t.Errorf("Salvage: %v", err)
	}
	release(t, r, false)
	r = f.rotation(t, github)
	defer release(t, r, true)
	if !r.Record().Equal(cred) || !r.Interrupted() {
		t.Errorf("record is generation %d, interrupted %v, want %d, true", r.Record().Generation, r.Interrupted(), cred.Generation)
	}
}

func testSettleBesideCommit(t *testing.T, f fixture) {
	const rounds = 30
	first := f.login(t, github, "first")
	var settled, committed int
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range rounds {
			f.login(t, github, fmt.Sprint("l", i))
			settled++
		}
	})
	wg.Go(func() {
		for i := range rounds {
			r, err := f.BeginRotation(f.ctx, github, 0)
			if err != nil {
				t.Errorf("BeginRotation: %v", err)
				return
			}
			_, err = r.Commit(f.ctx, refreshed(r.Record(), fmt.Sprint(i)))
			switch {
			case err == nil:
				committed++
			case !errors.Is(err, credential.ErrSuperseded):
				t.Errorf("Commit: %v", err)
			}
			if err := r.Release(false); err != nil {
				t.Errorf("Release: %v", err)
			}
		}
	})
	wg.Wait()
	got := f.get(t, github)
	if want := first.Generation + uint64(settled+committed); got.Generation != want {
		t.Errorf("%d settles and %d commits made generation %d, want %d", settled, committed, got.Generation, want)
	}
	if want := fmt.Sprint("l", rounds-1); got.Grant != want {
		t.Errorf("grant = %s, want %s: a commit replaced a newer login", got.Grant, want)
	}
}

func testLogoutBesideCommit(t *testing.T, f fixture) {
	for i := range 20 {
		cred := f.login(t, github, fmt.Sprint("l", i))
		r := f.rotation(t, github)
		steps(t, f, r)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := r.Commit(f.ctx, refreshed(cred, "2")); err != nil && !errors.Is(err, credential.ErrSuperseded) {
				t.Errorf("Commit: %v", err)
			}
		})
		wg.Go(func() {
			if err := logout(f, github); err != nil {
				t.Errorf("logout: %v", err)
			}
		})
		wg.Wait()
		release(t, r, false)
		if cred, err := f.Get(f.ctx, github); !errors.Is(err, credential.ErrNotFound) {
			t.Fatalf("after the logout there is generation %d, %v, want ErrNotFound", cred.Generation, err)
		}
	}
}
