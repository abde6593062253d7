package credentialtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
)

func testKilledHolder(t *testing.T, f fixture, dir string) {
	paddedLogin(t, f)
	c := spawn(t, job{Role: "hold", Dir: dir})
	c.tell(t, "go")
	c.line(t)
	ctx, cancel := context.WithTimeout(f.ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := f.BeginRotation(ctx, github, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("BeginRotation while another process holds it = %v, want context.DeadlineExceeded", err)
	}
	c.kill(t)
	ctx, cancel = context.WithTimeout(f.ctx, time.Second)
	defer cancel()
	r, err := f.BeginRotation(ctx, github, 0)
	if err != nil {
		t.Fatalf("BeginRotation within a second of the holder's death: %v", err)
	}
	defer release(t, r, false)
	if !r.Interrupted() {
		t.Error("Interrupted = false, want true: the holder was about to spend the token")
	}
	steps(t, f, r)
	if _, err := r.Commit(f.ctx, padded(r.Record(), "after")); err != nil {
		t.Errorf("Commit: %v", err)
	}
}

func testKilledOwner(t *testing.T, f fixture, dir string) {
	c := spawn(t, job{Role: "own", Dir: dir})
	c.tell(t, "go")
	c.line(t)
	me := f.owner(t)
	if _, err := f.ClaimLogin(f.ctx, "pending", me.ID()); !errors.Is(err, credential.ErrOwned) {
		t.Errorf("ClaimLogin while the owner lives = %v, want ErrOwned", err)
	}
	if _, err := f.CreateLogin(f.ctx, sampleLogin(qwen, "mine", me.ID()), 0); !errors.Is(err, credential.ErrLoginExists) {
		t.Errorf("CreateLogin while the owner lives = %v, want ErrLoginExists", err)
	}
	c.kill(t)
	if l, err := f.ClaimLogin(f.ctx, "pending", me.ID()); err != nil || l.Owner != me.ID() {
		t.Errorf("ClaimLogin after the owner was killed = owner %q, %v, want %q", l.Owner, err, me.ID())
	}
	if _, err := f.CreateLogin(f.ctx, sampleLogin(qwen, "mine", me.ID()), 0); err != nil {
		t.Errorf("CreateLogin after the owner was killed: %v", err)
	}
	if _, err := f.ClaimLogin(f.ctx, "pending", "another"); !errors.Is(err, credential.ErrOwned) {
		t.Errorf("ClaimLogin from the new owner = %v, want ErrOwned", err)
	}
}

func testKilledWriters(t *testing.T, f fixture, dir string) {
	const rounds = 15
	last := paddedLogin(t, f).Generation
	for round := range rounds {
		c := spawn(t, job{Role: "rotate", Dir: dir, N: 1 << 30, Name: fmt.Sprint("killed", round)})
		c.tell(t, "go")
		lines := []string{c.line(t)}
		// Not to wait for anything: to hit a different step each time.
		<-time.After(rand.N(10 * time.Millisecond))
		lines = append(lines, c.kill(t)...)
		acknowledged := last
		for _, line := range lines {
			var old, new string
			if _, err := fmt.Sscan(line, &acknowledged, &old, &new); err != nil {
				t.Fatalf("child printed %q: %v", line, err)
			}
		}
		cred := f.get(t, github)
		if err := checkWhole(cred); err != nil {
			t.Fatal(err)
		}
		if cred.Generation != acknowledged && cred.Generation != acknowledged+1 {
			t.Fatalf("after the kill the store has generation %d, %d was acknowledged", cred.Generation, acknowledged)
		}
		last = cred.Generation
	}
}

func testKilledSuperseded(t *testing.T, f fixture, dir string) {
	paddedLogin(t, f)
	c := spawn(t, job{Role: "supersede", Dir: dir})
	c.tell(t, "go")
	c.line(t) // it holds the rotation
	newer := f.login(t, github, "newer")
	c.tell(t, "commit")
	c.line(t) // it has kept its answer aside
	orphans(t, f, "its process lives")
	c.kill(t)
	found := orphans(t, f, "its process was killed", "rt-late")
	if err := found[0].Discard(f.ctx); err != nil {
		t.Errorf("Discard: %v", err)
	}
	orphans(t, f, "discarded")
	if got := f.get(t, github); !got.Equal(newer) {
		t.Errorf("the credential is grant %s, generation %d, want %s, %d", got.Grant, got.Generation, newer.Grant, newer.Generation)
	}
}

func testKilledLogouts(t *testing.T, f fixture, dir string) {
	const rounds = 15
	last := paddedLogin(t, f).Generation
	for round := range rounds {
		c := spawn(t, job{Role: "logout", Dir: dir, N: 1 << 30, Name: fmt.Sprint("killed", round)})
		c.tell(t, "go")
		lines := []string{c.line(t)}
		// Not to wait for anything: to hit a different step each time.
		<-time.After(rand.N(10 * time.Millisecond))
		for _, line := range append(lines, c.kill(t)...) {
			var err error
			if last, err = strconv.ParseUint(line, 10, 64); err != nil {
				t.Fatalf("child printed %q: %v", line, err)
			}
		}
		// Beyond what was acknowledged there may be a login or its logout.
		cred, err := f.Get(f.ctx, github)
		if err == nil {
			err = checkWhole(cred)
		}
		if err != nil && !errors.Is(err, credential.ErrNotFound) {
			t.Fatal(err)
		}
		orphans(t, f, "after the kill")
		f.endLogin(t, github)
		again := f.login(t, github, fmt.Sprint("again", round))
		if again.Generation <= last || again.Generation > last+2 {
			t.Fatalf("a login after the kill has generation %d, %d was acknowledged", again.Generation, last)
		}
		last = again.Generation
		if _, err := f.Update(f.ctx, padded(again, "again"), last); err != nil {
			t.Fatal(err)
		}
		last++
	}
}

// endLogin ends what a killed process left of a login of key.
func (f fixture) endLogin(t *testing.T, key credential.Key) {
	t.Helper()
	l, err := f.LiveLogin(f.ctx, key)
	if errors.Is(err, credential.ErrNotFound) {
		return
	}
	if err == nil {
		l, err = f.ClaimLogin(f.ctx, l.ID, f.owner(t).ID())
	}
	if err == nil {
		_, err = f.UpdateLogin(f.ctx, failed(l), l.Version)
	}
	if err != nil {
		t.Fatalf("ending a dead process's login: %v", err)
	}
}
