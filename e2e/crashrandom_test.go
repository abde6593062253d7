package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// atRandom kills at a random moment, at most so long after the start.
func atRandom(random *rand.Rand, most time.Duration) killer {
	wait := time.Duration(random.Int64N(int64(most)))
	return func(s *stock, key string) (death, error) {
		cmd := s.token(key)
		done := make(chan ending)
		begun := make(chan struct{})
		go func() {
			var out bytes.Buffer
			cmd.Stdout = &out
			err := cmd.Start()
			close(begun)
			if err != nil {
				done <- ending{code: -1, stderr: err.Error()}
				return
			}
			cmd.Wait()
			done <- ended(out.String(), "", cmd.ProcessState.Sys().(syscall.WaitStatus))
		}()
		<-begun
		time.Sleep(wait)
		if cmd.Process != nil {
			cmd.Process.Kill()
		}
		e := <-done
		if e.signal == 0 && e.code != exitOK && e.code != exitLoginNeeded { // a kill before may have cost the login
			return death{}, fmt.Errorf("the refresh ended before it was killed: %v", e)
		}
		// Nobody knows where it was: that is told by the sandbox's record.
		return death{killed: e.signal != 0, where: wait.String(), window: e.signal != 0}, nil
	}
}

// TestRefreshSurvivesRandomKills kills refreshes with kill -9 at random moments,
// some of them twice in a row.
func TestRefreshSurvivesRandomKills(t *testing.T) {
	t.Parallel()
	t.Logf("-crash.seed=%d", *crashSeed)
	rounds := 30
	if *crashLong {
		rounds = 1000
	}
	// Answers take a while, so that some kills come upon that.
	faults := filepath.Join(t.TempDir(), "faults.json")
	if err := os.WriteFile(faults, []byte(`[{"endpoint": "token.refresh", "do": {"answer_delay_ms": 8}}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, rotation := range rotations {
		t.Run(rotation, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(*crashSeed, uint64(len(rotation))))
			for begin := 0; begin < rounds; begin += 200 {
				var trials []trial
				for i := begin; i < min(rounds, begin+200); i++ {
					kills := []killer{atRandom(random, 60*time.Millisecond)}
					if i%3 == 0 {
						kills = append(kills, atRandom(random, 60*time.Millisecond))
					}
					trials = append(trials, trial{fmt.Sprintf("round %d", i), kills})
				}
				verdicts := crash(t, rotation, trials, "--faults", faults)
				killed, _, lost := tally(verdicts)
				t.Logf("%d refreshes were killed, %d logins lost", killed, lost)
			}
		})
	}
}
