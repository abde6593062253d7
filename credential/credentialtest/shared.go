package credentialtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/usherauth/usher/credential"
)

// RunShared proves the guarantees of a store that several processes share: it
// starts this test binary again, many times, and kills some of them. open
// opens the store in a directory, which is empty the first time.
func RunShared(t *testing.T, open func(dir string) (credential.Store, error)) {
	t.Helper()
	for _, tt := range []struct {
		name string
		run  func(*testing.T, fixture, string)
	}{
		{"rotations of many processes make one chain", testSharedRotations},
		{"settle beside commits loses nothing", testSharedSettle},
		{"one of many logins wins", testSharedCreateLogin},
		{"readers never see a mixture", testSharedReaders},
		{"other processes' logins are told and found", testSharedChanges},
		{"a killed holder frees the rotation", testKilledHolder},
		{"a killed owner's logins can be taken over", testKilledOwner},
		{"writers killed anywhere leave a whole store", testKilledWriters},
		{"a killed rotation that was superseded leaves an orphan", testKilledSuperseded},
		{"logouts killed anywhere keep the generation", testKilledLogouts},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			store, err := open(dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := store.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			tt.run(t, fixture{store, t.Context()}, dir)
		})
	}
}

// children spawns n children and then lets them all work at once.
func children(t *testing.T, n int, j job) []*child {
	t.Helper()
	all := make([]*child, n)
	for i := range all {
		j.Name = fmt.Sprint(j.Role, i)
		all[i] = spawn(t, j)
	}
	for _, c := range all {
		c.tell(t, "go")
	}
	return all
}

// paddedLogin stores a credential for github that readers can check.
func paddedLogin(t *testing.T, f fixture) credential.Credential {
	t.Helper()
	cred, err := f.Update(f.ctx, padded(f.login(t, github, "first"), "first"), 1)
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

func testSharedRotations(t *testing.T, f fixture, dir string) {
	const processes, rounds = 8, 12
	first := paddedLogin(t, f)
	type link struct{ old, new string }
	links := make(map[uint64]link) // generation -> what was spent and won
	for _, c := range children(t, processes, job{Role: "rotate", Dir: dir, N: rounds}) {
		for _, line := range c.finish(t) {
			var generation uint64
			var l link
			if _, err := fmt.Sscan(line, &generation, &l.old, &l.new); err != nil {
				t.Fatalf("child printed %q: %v", line, err)
			}
			if other, twice := links[generation]; twice {
				t.Errorf("generation %d was stored twice: %v and %v", generation, other, l)
			}
			links[generation] = l
		}
	}
	if len(links) != processes*rounds {
		t.Errorf("%d rotations, want %d", len(links), processes*rounds)
	}
	token := first.RefreshToken.Reveal()
	for i := range uint64(processes * rounds) {
		l := links[first.Generation+1+i]
		if l.old != token {
			t.Fatalf("generation %d spent %q, the newest was %q", first.Generation+1+i, l.old, token)
		}
		token = l.new
	}
	if got := f.get(t, github); got.RefreshToken.Reveal() != token {
		t.Errorf("stored token = %q, want the last of the chain, %q", got.RefreshToken.Reveal(), token)
	}
}

func testSharedSettle(t *testing.T, f fixture, dir string) {
	const rounds = 40
	first := paddedLogin(t, f)
	settler := spawn(t, job{Role: "settle", Dir: dir, N: rounds, Name: "settle"})
	rotators := children(t, 3, job{Role: "rotate", Dir: dir, N: rounds})
	settler.tell(t, "go")
	var stored []uint64
	for _, c := range append(rotators, settler) {
		for _, line := range c.finish(t) {
			if line == "superseded" {
				continue
			}
			generation, err := strconv.ParseUint(strings.Fields(line)[0], 10, 64)
			if err != nil {
				t.Fatalf("child printed %q: %v", line, err)
			}
			stored = append(stored, generation)
		}
	}
	slices.Sort(stored)
	for i, generation := range stored {
		if want := first.Generation + 1 + uint64(i); generation != want {
			t.Fatalf("generation %d was stored where %d is next: a change was lost", generation, want)
		}
	}
	got := f.get(t, github)
	if want := first.Generation + uint64(len(stored)); got.Generation != want {
		t.Errorf("generation = %d after %d changes, want %d", got.Generation, len(stored), want)
	}
	if want := fmt.Sprint("settle-", rounds-1); got.Grant != want {
		t.Errorf("grant = %s, want %s: a commit replaced a newer login", got.Grant, want)
	}
}

func testSharedCreateLogin(t *testing.T, f fixture, dir string) {
	all := children(t, 8, job{Role: "create", Dir: dir})
	winners := make(map[string]int)
	for _, c := range all {
		winners[c.line(t)]++
	}
	for _, c := range all {
		c.tell(t, "stop")
		c.finish(t)
	}
	if len(winners) != 1 {
		t.Errorf("winners = %v, want one in everybody's eyes", winners)
	}
}

func testSharedReaders(t *testing.T, f fixture, dir string) {
	paddedLogin(t, f)
	readers := children(t, 2, job{Role: "read", Dir: dir})
	for _, c := range children(t, 2, job{Role: "rotate", Dir: dir, N: 40}) {
		c.finish(t)
	}
	want := fmt.Sprint(f.get(t, github).Generation)
	for _, c := range readers {
		c.tell(t, "stop")
		// The last read may be of a moment before the writers' end.
		if lines := c.finish(t); len(lines) != 1 {
			t.Errorf("reader printed %q, want a generation up to %s", lines, want)
		}
	}
}
