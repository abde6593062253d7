package e2e

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// TestRefreshSurvivesKillAfterTheAnswer kills with kill -9 within 40 ms of the
// answer, more often early than late, since it is stored within the first few.
func TestRefreshSurvivesKillAfterTheAnswer(t *testing.T) {
	t.Parallel()
	t.Logf("-crash.seed=%d", *crashSeed)
	rounds := 20
	if *crashLong {
		rounds = 200
	}
	for _, rotation := range rotations {
		t.Run(rotation, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(*crashSeed, 2))
			var trials []trial
			for i := range rounds {
				u := random.Float64()
				trials = append(trials, trial{fmt.Sprintf("round %d", i+1), []killer{afterAnswer(time.Duration(u * u * float64(40*time.Millisecond)))}})
			}
			verdicts := crash(t, rotation, trials)
			killed, window, lost := tally(verdicts)
			t.Logf("%d refreshes were killed, %d of them within the window, %d logins lost", killed, window, lost)
			if killed == 0 {
				t.Errorf("none of %d refreshes was killed", rounds)
			}
		})
	}
}

// afterAnswer kills so long after the answer has been read.
func afterAnswer(wait time.Duration) killer {
	return func(s *stock, key string) (death, error) {
		stopper := &stopper{dir: s.data(key), afterAnswer: wait}
		e, err := stopper.run(s.token(key))
		switch {
		case err != nil:
			return death{}, err
		case e.signal == 0 && e.code != exitOK:
			return death{}, fmt.Errorf("the refresh ended before it was killed: %v", e)
		}
		killed := e.signal == syscall.SIGKILL
		return death{killed: killed, where: wait.String(), window: killed && !stopper.stored}, nil
	}
}
