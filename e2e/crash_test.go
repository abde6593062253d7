package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var (
	crashLong = flag.Bool("crash.long", false, "kill at every place and many times at random, not at a sample of them")
	crashSeed = flag.Uint64("crash.seed", rand.Uint64(), "what the crash tests draw their samples and delays from")
)

// The modes of rotation that a kill is tried in.
var rotations = []string{"strict", "grace"}

// modes are the modes to try a fault in: what costs no login on the strict server
// is not tried on the one that forgives, but in the long form.
func modes(lost string) []string {
	if lost == "" && !*crashLong {
		return rotations[:1]
	}
	return rotations
}

// Exit codes of the command line, as documented.
const exitStore = 7

// crashLife is the life of an access token in these tests: short, since every
// round waits for its end, and long enough to be used on a busy machine.
const crashLife = 4 * time.Second

// A trial is what one login goes through: kills in a row, each of a refresh,
// then a token without them, and one more when that has expired.
type trial struct {
	name  string
	kills []killer
}

// A killer lets a refresh of a key begin and kills it.
type killer func(s *stock, key string) (death, error)

// A death is how a kill went.
type death struct {
	killed bool   // the process had not ended by itself
	where  string // what it was about to do, for people
	// window: the token may be spent and its successor is not stored. A server
	// that forgives nothing may take the login for this, and nothing else.
	window bool
	// exact: it is known that the server has answered, or was not asked.
	exact bool
}

// A verdict is what became of a trial.
type verdict struct {
	trial
	key    string
	deaths []death
	lost   bool
	tokens []string // that were handed out
	err    error
}

// crash tries each trial on a login of its own and returns the verdicts, with
// all that must hold in any case being checked.
func crash(t *testing.T, rotation string, trials []trial, flags ...string) []verdict {
	t.Helper()
	s := newStock(t, len(trials), append(flags, "--rotation", rotation)...)
	verdicts := make([]verdict, len(trials))
	s.each(6, func(key string) {
		v := &verdicts[slices.Index(s.keys, key)]
		*v = verdict{trial: trials[slices.Index(s.keys, key)], key: key}
		v.err = v.run(s)
	})
	s.expire()
	s.each(6, func(key string) {
		if v := &verdicts[slices.Index(s.keys, key)]; v.err == nil {
			v.err = v.renew(s)
		}
	})
	s.swept()
	requests, issued := s.box.refreshes()
	for _, v := range verdicts {
		if err := v.check(rotation, requests[v.key], issued); err != nil {
			t.Errorf("%s: %v (deaths: %+v)", v.name, err, v.deaths)
		}
	}
	return verdicts
}

// run kills and recovers.
func (v *verdict) run(s *stock) error {
	before, err := s.stored(v.key)
	if err != nil {
		return err
	}
	for _, kill := range v.kills {
		d, err := kill(s, v.key)
		if err != nil {
			return err
		}
		v.deaths = append(v.deaths, d)
		after, err := s.stored(v.key)
		if err != nil {
			return fmt.Errorf("after the kill: %w", err)
		}
		if after.Generation < before.Generation || after.Generation > before.Generation+1 {
			return fmt.Errorf("the generation went from %d to %d", before.Generation, after.Generation)
		}
		before = after
	}
	return v.renew(s)
}

// renew asks for a token, unless the login is lost already.
func (v *verdict) renew(s *stock) error {
	before, err := s.stored(v.key)
	if err != nil {
		return err
	}
	token, lost, err := s.renewed(v.key)
	if err != nil {
		return err
	}
	if v.lost && !lost {
		return fmt.Errorf("a login that was lost is back")
	}
	v.lost = lost
	if !lost {
		v.tokens = append(v.tokens, token)
	}
	after, err := s.stored(v.key)
	switch {
	case err != nil:
		return err
	case after.Generation < before.Generation:
		return fmt.Errorf("the generation went from %d back to %d", before.Generation, after.Generation)
	case lost != (after.State == "needs_login") || lost && after.Cause == "":
		return fmt.Errorf("lost: %t, and the status is %+v", lost, after)
	}
	return nil
}

// check holds a verdict against what the sandbox saw.
func (v *verdict) check(rotation string, requests []refreshRequest, issued map[string]bool) error {
	if v.err != nil {
		return v.err
	}
	window, exact := false, true
	for _, d := range v.deaths {
		window, exact = window || d.window, exact && (d.exact || !d.window)
	}
	reused := slices.ContainsFunc(requests, func(r refreshRequest) bool { return r.Reuse })
	switch {
	case rotation == "grace" && (v.lost || reused):
		return fmt.Errorf("lost: %t, a spent token was punished: %t; on a server with grace", v.lost, reused)
	case v.lost && !window:
		return fmt.Errorf("the login is lost outside the window")
	case v.lost != reused:
		return fmt.Errorf("lost: %t, a spent token was punished: %t", v.lost, reused)
	case rotation == "strict" && window && exact && !v.lost:
		return fmt.Errorf("the answer is lost, and the login is not: the kill was not where it was thought to be")
	}
	if !v.lost && (len(v.tokens) != 2 || v.tokens[0] == v.tokens[1]) {
		return fmt.Errorf("%d tokens were handed out", len(v.tokens))
	}
	for _, token := range v.tokens {
		if !issued[token] {
			return fmt.Errorf("a token was handed out that the sandbox has not issued")
		}
	}
	return nil
}

// tally is how many trials cost the login, for the log.
func tally(verdicts []verdict) (killed, window, lost int) {
	for _, v := range verdicts {
		for _, d := range v.deaths {
			killed += count(d.killed)
			window += count(d.window)
		}
		lost += count(v.lost)
	}
	return killed, window, lost
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
