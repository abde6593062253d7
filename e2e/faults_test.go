package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A fault is something that goes wrong while a token is refreshed. Tools of this
// kind have lost logins to each of these.
type fault struct {
	name string
	// plan is the sandbox's.
	plan string
	// strike lets it happen and returns what was handed out.
	strike func(s *stock, key string) (token string, err error)
	// requests is how many refresh requests arrive at the server.
	requests int
	// lost is the mode of rotation in which the login is lost; "" for none.
	lost string
}

var faults = []fault{
	{
		name: "a token endpoint that takes 35 s", requests: 1, strike: threeTokens,
		plan: `[{"endpoint": "token.refresh", "calls": [1], "do": {"answer_delay_ms": 35000}}]`,
	},
	{
		name: "SIGTERM to those who wait", requests: 1, strike: terminateWaiters,
		plan: `[{"endpoint": "token.refresh", "calls": [1], "do": {"answer_delay_ms": 5000}}]`,
	},
	{
		name: "SIGTERM to the one that refreshes", requests: 1, strike: terminateRefresher,
		plan: `[{"endpoint": "token.refresh", "calls": [1], "do": {"answer_delay_ms": 1000}}]`,
	},
	{
		name: "an answer lost after the rotation", requests: 2, strike: oneToken, lost: "strict",
		plan: `[{"endpoint": "token.refresh", "calls": [1], "do": {"drop": "after"}}]`,
	},
	{
		name: "half an answer after the rotation", requests: 2, strike: oneToken, lost: "strict",
		plan: `[{"endpoint": "token.refresh", "calls": [1], "do": {"drop": "mid"}}]`,
	},
	{
		name: "a request lost", requests: 2, strike: oneToken,
		plan: `[{"endpoint": "token.refresh", "calls": [1], "do": {"drop": "before"}}]`,
	},
	{
		name: "one 503", requests: 2, strike: oneToken,
		plan: `[{"endpoint": "token.refresh", "calls": [1], "do": {"status": 503, "body": "later"}}]`,
	},
}

// TestRefreshFaults counts what the server sees of each fault. Whatever happens,
// the run that meets it has its token, and the next refresh works.
func TestRefreshFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		for _, rotation := range modes(f.lost) {
			t.Run(rotation+" "+f.name, func(t *testing.T) {
				t.Parallel()
				plan := filepath.Join(t.TempDir(), "faults.json")
				if err := os.WriteFile(plan, []byte(f.plan), 0o600); err != nil {
					t.Fatal(err)
				}
				s := newStock(t, 1, "--rotation", rotation, "--faults", plan)
				f.run(s, s.keys[0], f.lost == rotation)
			})
		}
	}
}

func (f *fault) run(s *stock, key string, lost bool) {
	s.t.Helper()
	token, err := f.strike(s, key)
	requests, issued := s.box.refreshes()
	switch n := len(requests[key]); {
	case n != f.requests:
		s.t.Errorf("%d refresh requests, want %d", n, f.requests)
	case lost:
		if token != "" || err == nil || !requests[key][n-1].Reuse {
			s.t.Errorf("a login that is lost: token %q, %v, %+v", token, err, requests[key])
		}
		if view, err := s.stored(key); err != nil || view.State != "needs_login" || view.Cause == "" {
			s.t.Errorf("a login that is lost: %+v, %v", view, err)
		}
		return
	case err != nil || !issued[token]:
		s.t.Fatalf("token %q, %v", token, err)
	}
	s.goesOn(key, token)
}

func oneToken(s *stock, key string) (string, error) {
	token, lost, err := s.renewed(key)
	if lost {
		err = fmt.Errorf("a login is needed")
	}
	return token, err
}

// terminateWaiters ends processes that wait for the one which refreshes.
func terminateWaiters(s *stock, key string) (string, error) {
	_, holder := s.begin(key)
	s.requested()
	for range 4 {
		waiter, done := s.begin(key)
		// At different moments of its waiting; all are within that of the holder.
		time.Sleep(time.Duration(rand.Int64N(int64(200 * time.Millisecond))))
		if err := waiter.Process.Signal(syscall.SIGTERM); err != nil {
			return "", err
		}
		if e := <-done; e.stdout != "" || e.code == exitOK {
			return "", fmt.Errorf("a process that waited and was asked to end: %v", e)
		}
	}
	e := <-holder
	if e.code != exitOK {
		return "", fmt.Errorf("the one that refreshes: %v", e)
	}
	return strings.TrimSpace(e.stdout), nil
}

// terminateRefresher ends the process that refreshes, which stores the answer
// before it ends, whatever else it gets; the next one has the token from there.
func terminateRefresher(s *stock, key string) (string, error) {
	refresher, done := s.begin(key)
	s.requested()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM} {
		if err := refresher.Process.Signal(signal); err != nil {
			return "", err
		}
	}
	if e := <-done; e.signal != 0 {
		return "", fmt.Errorf("the one that refreshes: %v", e)
	}
	return oneToken(s, key)
}

// threeTokens asks for a token three times at once.
func threeTokens(s *stock, key string) (string, error) {
	var running []<-chan ending
	for range 3 {
		_, done := s.begin(key)
		running = append(running, done)
	}
	tokens := make(map[string]bool)
	for _, done := range running {
		e := <-done
		if e.code != exitOK {
			return "", fmt.Errorf("one of three: %v", e)
		}
		tokens[strings.TrimSpace(e.stdout)] = true
	}
	if len(tokens) != 1 {
		return "", fmt.Errorf("three processes got %d different tokens", len(tokens))
	}
	for token := range tokens {
		return token, nil
	}
	return "", nil
}
