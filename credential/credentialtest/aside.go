package credentialtest

import (
	"errors"
	"testing"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

// supersededCommit has r, a rotation of cred's key that was overtaken, keep an
// answer aside.
func supersededCommit(t *testing.T, f fixture, r credential.Rotation, tag string) {
	t.Helper()
	if _, err := r.Commit(f.ctx, refreshed(r.Record(), tag)); !errors.Is(err, credential.ErrSuperseded) {
		t.Fatalf("Commit of an overtaken rotation = %v, want ErrSuperseded", err)
	}
}

// orphans checks that there are those with the refresh tokens want.
func orphans(t *testing.T, f fixture, when string, want ...string) []credential.Orphan {
	t.Helper()
	all, err := f.Orphans(f.ctx)
	if err != nil {
		t.Fatalf("%s: Orphans: %v", when, err)
	}
	var got []string
	for _, o := range all {
		got = append(got, o.Credential.RefreshToken.Reveal())
	}
	if len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
		t.Fatalf("%s: orphans %q, want %q", when, got, want)
	}
	return all
}

func testNewestInstalled(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	r := f.rotation(t, github)
	steps(t, f, r)
	if _, err := f.Update(f.ctx, cred, cred.Generation); err != nil {
		t.Fatal(err)
	}
	supersededCommit(t, f, r, "2")
	supersededCommit(t, f, r, "3")
	release(t, r, false)
	r = f.rotation(t, github)
	defer release(t, r, true)
	if got := r.Record().RefreshToken.Reveal(); got != "rt-3" {
		t.Errorf("the record has the token %s, want rt-3, the newest", got)
	}
}

func testCandidates(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	r := f.rotation(t, github)
	check := func(when string, want ...string) {
		t.Helper()
		got, err := r.Candidates(f.ctx)
		if err != nil {
			t.Fatalf("%s: Candidates: %v", when, err)
		}
		if len(got) != len(want) || len(got) > 0 && got[0].RefreshToken.Reveal() != want[0] {
			t.Errorf("%s: %d candidates, want %q", when, len(got), want)
		}
	}
	check("nothing kept aside")
	steps(t, f, r)
	if _, err := f.Update(f.ctx, cred, cred.Generation); err != nil {
		t.Fatal(err)
	}
	supersededCommit(t, f, r, "2")
	check("an answer kept aside", "rt-2")
	supersededCommit(t, f, r, "2")
	check("the same once more", "rt-2")
	if err := r.Discard(f.ctx); err != nil {
		t.Fatal(err)
	}
	check("discarded")
	same := cred
	same.AccessToken = secret.New("at-2")
	if _, err := r.Commit(f.ctx, same); !errors.Is(err, credential.ErrSuperseded) {
		t.Fatal(err)
	}
	check("the token that was refused already")
	release(t, r, false)

	f.login(t, github, "l2")
	r = f.rotation(t, github)
	steps(t, f, r)
	f.login(t, github, "l3")
	supersededCommit(t, f, r, "4")
	release(t, r, false)
	r = f.rotation(t, github)
	defer release(t, r, true)
	check("another login's answer")
}

func testOrphanOfLogin(t *testing.T, f fixture) {
	f.login(t, github, "l1")
	f.login(t, qwen, "other")
	r := f.rotation(t, github)
	steps(t, f, r)
	newer := f.login(t, github, "l2")
	supersededCommit(t, f, r, "2")
	orphans(t, f, "its rotation lives")
	release(t, r, false) // as a process that dies gives the lock back
	orphans(t, f, "left behind", "rt-2")
	found := orphans(t, f, "asked again", "rt-2")
	if got := found[0].Credential; got.Grant != "l1" || got.Key != github || got.Binding != newer.Binding {
		t.Errorf("the orphan is %s of grant %s, want %s of l1 with its binding", got.Key, got.Grant, github)
	}
	// A rotation does not take it for its own, and leaves it to be revoked.
	r = f.rotation(t, github)
	if !r.Record().Equal(newer) {
		t.Errorf("the record is grant %s, generation %d, want %s, %d", r.Record().Grant, r.Record().Generation, newer.Grant, newer.Generation)
	}
	release(t, r, true)
	orphans(t, f, "after a rotation", "rt-2")
	for range 2 {
		if err := found[0].Discard(f.ctx); err != nil {
			t.Errorf("Discard: %v", err)
		}
	}
	orphans(t, f, "discarded")
	if !f.get(t, github).Equal(newer) {
		t.Error("discarding an orphan changed the credential")
	}
}

func testOrphanOfLogout(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	r := f.rotation(t, github)
	steps(t, f, r)
	if err := f.Delete(f.ctx, github, cred.Generation); err != nil {
		t.Fatal(err)
	}
	supersededCommit(t, f, r, "2")
	release(t, r, false)
	found := orphans(t, f, "after a logout", "rt-2")
	if err := found[0].Discard(f.ctx); err != nil {
		t.Errorf("Discard: %v", err)
	}
	orphans(t, f, "discarded")
	if again := f.login(t, github, "l2"); again.Generation != cred.Generation+2 {
		t.Errorf("generation after the tombstone = %d, want %d", again.Generation, cred.Generation+2)
	}
}

func testNoOrphan(t *testing.T, f fixture) {
	orphans(t, f, "an empty store")
	cred := f.login(t, github, "l1")
	orphans(t, f, "a login")
	r := f.rotation(t, github)
	steps(t, f, r)
	if _, err := f.Update(f.ctx, cred, cred.Generation); err != nil {
		t.Fatal(err)
	}
	supersededCommit(t, f, r, "2")
	release(t, r, false)
	orphans(t, f, "an answer of the stored grant")
	r = f.rotation(t, github)
	defer release(t, r, true)
	if got := r.Record().RefreshToken.Reveal(); got != "rt-2" {
		t.Errorf("the record has the token %s, want rt-2", got)
	}
}

// A login that brings the token which a rotation has sent is the one that the
// answer belongs to: nothing else is left of it.
func testImportedAgain(t *testing.T, f fixture) {
	cred := f.login(t, github, "l1")
	r := f.rotation(t, github)
	steps(t, f, r)
	l, won := f.persisting(t, github, "l2")
	won.RefreshToken = cred.RefreshToken
	won.Binding.ClientID, won.Share.Tool = "other", ""
	if _, _, err := f.Settle(f.ctx, authorized(l), won); err != nil {
		t.Fatal(err)
	}
	supersededCommit(t, f, r, "2")
	release(t, r, false) // as a process that dies gives the lock back
	orphans(t, f, "imported again")
	r = f.rotation(t, github)
	got := r.Record()
	if got.RefreshToken.Reveal() != "rt-2" || got.Grant != "l2" || got.Binding != won.Binding || got.Share != won.Share || got.Generation != 3 {
		t.Errorf("the record is %+v, want rt-2 in generation 3 and what l2 is bound to", got)
	}
	release(t, r, true)

	// Had there been no answer, the token may be spent all the same.
	r = f.rotation(t, github)
	steps(t, f, r)
	release(t, r, false)
	l, won = f.persisting(t, github, "l3")
	won.RefreshToken = got.RefreshToken
	if _, _, err := f.Settle(f.ctx, authorized(l), won); err != nil {
		t.Fatal(err)
	}
	r = f.rotation(t, github)
	defer release(t, r, true)
	if !r.Interrupted() {
		t.Error("the rotation of an imported token knows nothing of the one that was interrupted")
	}
}
