package token

import (
	"fmt"
	"hash/maphash"
	"strings"
	"testing"
	"testing/synctest"
)

// modelCount is what exploring a world has found; of the states, those whose
// past or present has the property.
type modelCount struct {
	states, runs                 int
	twoLive, replay, dead, ended int
	lockedOut                    int
	wrong                        map[string][]modelAct // violation -> schedule
}

// modelSeed makes states comparable over all explorations of a process.
var modelSeed = maphash.MakeSeed()

// modelSearch explores a world depth first. A state is reached by doing its
// schedule from the start, as running goroutines cannot be copied.
type modelSearch struct {
	cfg   modelConfig
	stop  func(*modelCount) bool // unless nil, ends the search early
	seen  map[uint64]bool
	count modelCount
}

// maxModelStates is more than any world here has.
const maxModelStates = 500_000

func exploreModel(t *testing.T, cfg modelConfig, stop func(*modelCount) bool) modelCount {
	s := &modelSearch{cfg: cfg, stop: stop, seen: map[uint64]bool{}, count: modelCount{wrong: map[string][]modelAct{}}}
	synctest.Test(t, func(*testing.T) { s.run() })
	if s.count.states >= maxModelStates {
		t.Errorf("more than %d states: something that a process does again and again makes new ones", maxModelStates)
	}
	return s.count
}

func (s *modelSearch) run() {
	// The choices that are left at each point of the schedule.
	var left [][]modelAct
	var schedule []modelAct
	w := s.begin(nil)
	for {
		if acts := s.enter(w, schedule); len(acts) > 0 {
			left = append(left, acts)
		} else {
			w.end()
			w = nil
			// Back to the last point with a choice.
			for len(left) > 0 && len(left[len(left)-1]) == 0 {
				left = left[:len(left)-1]
			}
			if len(left) == 0 || s.stop != nil && s.stop(&s.count) || s.count.states >= maxModelStates {
				return
			}
			schedule = schedule[:len(left)-1]
			w = s.begin(schedule)
		}
		last := len(left) - 1
		next := left[last][0]
		left[last] = left[last][1:]
		schedule = append(schedule[:last:last], next)
		w.do(next)
	}
}

func (s *modelSearch) begin(schedule []modelAct) *modelWorld {
	s.count.runs++
	w := newModelWorld(s.cfg)
	w.settle()
	w.check()
	for _, a := range schedule {
		w.do(a)
	}
	return w
}

// enter counts a state and returns what may happen next; nothing if that has
// been looked into.
func (s *modelSearch) enter(w *modelWorld, schedule []modelAct) []modelAct {
	h := maphash.String(modelSeed, w.state())
	if s.seen[h] {
		return nil
	}
	s.seen[h] = true
	s.count.note(w)
	acts := w.acts()
	if len(acts) == 0 {
		w.finish()
		s.count.ended++
		if w.lockedOut {
			s.count.lockedOut++
		}
	}
	for _, wrong := range w.wrong {
		if _, ok := s.count.wrong[wrong]; !ok {
			s.count.wrong[wrong] = append([]modelAct{}, schedule...)
		}
	}
	if s.stop != nil && s.stop(&s.count) {
		return nil
	}
	return acts
}

func (c *modelCount) note(w *modelWorld) {
	c.states++
	tally := func(n *int, is bool) {
		if is {
			*n++
		}
	}
	tally(&c.twoLive, w.twoLive)
	tally(&c.replay, w.replay)
	dead := false
	for _, f := range w.as.families {
		dead = dead || f.revoked
	}
	tally(&c.dead, dead)
}

// String lists the violations, each with the way to it.
func (c modelCount) String() string {
	var b strings.Builder
	for wrong, schedule := range c.wrong {
		fmt.Fprintf(&b, "%s\n", wrong)
		for _, a := range schedule {
			fmt.Fprintf(&b, "    %v\n", a)
		}
	}
	return b.String()
}
