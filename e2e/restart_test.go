package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/e2e/oidcprovider"
)

var restartSeed = flag.Uint64("restart.seed", rand.Uint64(), "what the delays of the restart tests are drawn from")

// A kill is a way in which the daemon is killed in the middle of a login, and
// what becomes of the login.
type kill struct {
	rounds int
	// at is the failpoint where the daemon dies by itself; empty if strike
	// kills it from outside.
	at string
	// strike brings the daemon to its end. It gets the login's handle and
	// leaves it in the round, and may approve the login.
	strike func(*restart)
	// box are flags of the sandbox, faults its fault plan.
	box    []string
	faults string
	// answers are what the provider answered to polls but that it is pending.
	answers []string
	// lost tells that the login fails, since the token was lost.
	lost bool
}

var kills = map[string]kill{
	"start stored but not answered": {rounds: 2, at: "login.started", strike: (*restart).unanswered, answers: []string{"issued"}},
	"start told but not answered":   {rounds: 2, at: "session.appended", strike: (*restart).unanswered, answers: []string{"issued"}},
	"start answered":                {rounds: 10, strike: (*restart).afterStart, answers: []string{"issued"}},
	"numbers reserved":              {rounds: 2, at: "session.reserved:2", strike: (*restart).atSecondSession, answers: []string{"issued"}},
	"poll in flight": {
		rounds: 10, strike: (*restart).duringPoll, answers: []string{"issued"},
		faults: `[{"endpoint": "token.device", "calls": [1], "do": {"delay_ms": 20000}}]`,
	},
	"slowed down": {
		rounds: 1, strike: (*restart).afterSlowDown, answers: []string{"slow_down", "issued"},
		faults: `[{"endpoint": "token.device", "calls": [1], "do": {"slow_down": true}}]`,
	},
	"answer in flight": {
		rounds: 3, strike: (*restart).duringAnswer, answers: []string{"issued", "invalid_grant"}, lost: true,
		faults: `[{"endpoint": "token.device", "calls": [1], "do": {"answer_delay_ms": 20000}}]`,
	},
	"provider said yes": {
		rounds: 10, at: "login.polled", strike: (*restart).byApproval, answers: []string{"issued", "invalid_grant"}, lost: true,
	},
	"provider said yes and says it again": {
		rounds: 5, at: "login.polled", strike: (*restart).byApproval, answers: []string{"issued", "repeated"},
		box: []string{"--code-grace", "1m"},
	},
	"token in the record":      {rounds: 3, at: "login.persisting", strike: (*restart).byApproval, answers: []string{"issued"}},
	"stored but not announced": {rounds: 10, at: "login.settled", strike: (*restart).byApproval, answers: []string{"issued"}},
	"just announced":           {rounds: 5, at: "login.ended", strike: (*restart).byApproval, answers: []string{"issued"}},
	"ended":                    {rounds: 10, strike: (*restart).afterEnd, answers: []string{"issued"}},
}

// TestLoginsSurviveKill kills the daemon with kill -9 at every place of a login
// where that could do harm, several times each. A program that waits for the
// login and one that follows a session live through it.
func TestLoginsSurviveKill(t *testing.T) {
	t.Logf("-restart.seed=%d", *restartSeed)
	for name, k := range kills {
		for n := range k.rounds {
			t.Run(fmt.Sprintf("%s %d", name, n+1), func(t *testing.T) {
				t.Parallel()
				k.run(t, failpointed(t), rand.New(rand.NewPCG(*restartSeed, uint64(n))))
			})
		}
	}
}

// TestLoginsSurviveKillRaced does the same once for each place, with a program
// that detects races.
func TestLoginsSurviveKillRaced(t *testing.T) {
	for name, k := range kills {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k.run(t, raced(t), rand.New(rand.NewPCG(*restartSeed, 1000)))
		})
	}
}

func (k kill) run(t *testing.T, program string, random *rand.Rand) {
	r := newRestart(t, program, k, random)
	r.first()
	k.strike(r)
	killed := time.Now()
	r.again()
	t.Logf("down for %v", time.Since(killed))

	r.known()
	if r.login.UserCode != "" && !r.approved {
		r.pause(time.Second)
		r.approve()
	}
	r.waited()
	r.told()

	// A login that has ended stays so.
	r.home.crash()
	r.again()
	r.known()
	r.told()
	r.home.stop()
	r.asked()
	r.recorded()
	r.left()
}

// unanswered starts a login at a daemon that dies of it, and so learns nothing.
// Asked again, the next daemon tells what was not answered.
func (r *restart) unanswered() {
	r.t.Helper()
	if l, err := r.client.Login(r.t.Context(), "here", usher.LoginOptions{}); !errors.Is(err, usher.ErrDaemonUnreachable) {
		r.t.Fatalf("a start that nobody answered: %+v, %v", l, err)
	}
	r.home.killed()
	r.again()
	r.start()
	if !r.login.Attached {
		r.t.Error("the login was started twice")
	}
	r.home.crash()
}

func (r *restart) afterStart() {
	r.start()
	r.pause(900 * time.Millisecond)
	r.home.crash()
}

func (r *restart) atSecondSession() {
	r.t.Helper()
	r.start()
	r.pause(900 * time.Millisecond)
	if s, err := r.client.CreateSession(r.t.Context()); !errors.Is(err, usher.ErrDaemonUnreachable) {
		r.t.Fatalf("a session that nobody answered: %+v, %v", s, err)
	}
	r.home.killed()
}

func (r *restart) duringPoll() {
	r.start()
	oidcprovider.Poll(r.t, "the first poll", func() bool { polls, _ := r.seen(); return len(polls) == 1 })
	r.pause(time.Second)
	r.home.crash()
}

// afterSlowDown has the next daemon keep to the interval that this one was told.
func (r *restart) afterSlowDown() {
	r.start()
	oidcprovider.Poll(r.t, "the throttling", func() bool { return r.follow.count(api.SessionFlowThrottled) == 1 })
	r.pause(300 * time.Millisecond)
	r.home.crash()
}

func (r *restart) duringAnswer() {
	r.start()
	r.approve()
	oidcprovider.Poll(r.t, "the token", func() bool { _, issued := r.seen(); return slices.Contains(issued, "access_token") })
	r.pause(300 * time.Millisecond)
	r.home.crash()
}

// byApproval has the daemon die of the provider's yes.
func (r *restart) byApproval() {
	r.start()
	r.pause(1500 * time.Millisecond)
	r.approve()
	r.home.killed()
}

func (r *restart) afterEnd() {
	r.start()
	r.approve()
	r.waited()
	r.pause(300 * time.Millisecond)
	r.home.crash()
}

// waited checks what the program learns that has been waiting since the start.
func (r *restart) waited() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	select {
	case <-r.done:
	case <-ctx.Done():
		r.t.Fatal("the wait has not ended")
	}
	code := usher.Code("")
	if e, ok := errors.AsType[*usher.Error](r.failed); ok {
		code = e.Code
	}
	switch {
	case r.kill.lost && (code != api.CodeLostSuccess || r.credential.Key != ""):
		r.t.Errorf("the wait ended with %+v, %v, want lost_success", r.credential, r.failed)
	case !r.kill.lost && (r.failed != nil || r.credential.Key != "here" || r.credential.State != "active"):
		r.t.Errorf("the wait ended with %+v, %v", r.credential, r.failed)
	}
	r.ended = true
}
