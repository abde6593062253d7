package token

import (
	"fmt"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// Longer runs than can be explored, at random: more processes, more expiries,
// every fault. -rapid.checks says how many.
func TestModelAtRandom(t *testing.T) {
	for _, mode := range []modelRotationMode{modelStrict, modelGrace, modelFixed} {
		t.Run(string(mode), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				few := rapid.IntRange(0, 3)
				cfg := modelConfig{
					provider: mode,
					procs:    rapid.IntRange(2, 6).Draw(rt, "processes"),
					expiries: rapid.IntRange(2, 12).Draw(rt, "expiries"),
					late:     rapid.Bool().Draw(rt, "late"),
					faults: modelFaults{
						crashes: few.Draw(rt, "crashes"), powercut: few.Draw(rt, "powercut"),
						losses: few.Draw(rt, "losses"), slow: few.Draw(rt, "slow"),
						busy: few.Draw(rt, "busy"), unsent: few.Draw(rt, "unsent"), garbled: few.Draw(rt, "garbled"),
						noroom: few.Draw(rt, "noroom"), badwrite: few.Draw(rt, "badwrite"), badspill: few.Draw(rt, "badspill"),
						logouts: few.Draw(rt, "logouts"), logins: few.Draw(rt, "logins"), cancels: few.Draw(rt, "cancels"),
					},
				}
				choices := rapid.SliceOfN(rapid.IntRange(0, 1<<16), 0, 200).Draw(rt, "choices")
				schedule, wrong := runModel(t, cfg, choices)
				if len(wrong) > 0 {
					rt.Fatalf("%v, after %s", wrong, fmt.Sprintln(schedule))
				}
			})
		})
	}
}

// runModel makes these choices, and when they are used up, the first that there
// is, to the end.
func runModel(t *testing.T, cfg modelConfig, choices []int) (schedule []modelAct, wrong []string) {
	synctest.Test(t, func(*testing.T) {
		w := newModelWorld(cfg)
		defer w.end()
		for acts := w.acts(); len(acts) > 0 && len(w.wrong) == 0; acts = w.acts() {
			next := acts[0]
			if len(choices) > 0 {
				next = acts[choices[0]%len(acts)]
				choices = choices[1:]
			}
			schedule = append(schedule, next)
			w.do(next)
		}
		if len(w.wrong) == 0 {
			w.finish()
		}
		wrong = w.wrong
	})
	return schedule, wrong
}
