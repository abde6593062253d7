package broker_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/sandbox"
)

// The races of wire-protocol 4.5, and those that come with several processes.
// Each test parks one contender, lets the other one finish, and then the first
// one; each order is a test of its own. What it looks at is the whole broker:
// the stored state, the native log, a session's stream, the audit log, and
// what the provider saw. TestWinnerCheckBites has them all fail in a
// build where everybody wins.

// Places to park at; the others name a call of the store.
const (
	answerToPoll  = "after /token"
	answerToStart = "after /device_authorization"
)

const (
	fromA    = "started cli-A"
	yesA     = "authorized cli-A"
	expiredA = "expired cli-A expired_token"
	keptA    = "authorized cli-A: lost_success_kept (cancel during persist; credentials kept per IdP approval)"
	asked    = "cancelled cli-B: deferred (persist in flight; final state decided by persist resolution)"
	lateA    = "failed cli-A lost_success: the login had ended when the token arrived; revoked"
)

// The events of a login, as its daemon and every other one tells them.
var (
	loginDone      = []string{api.EventLoginStarted, api.EventLoginAuthorized, api.EventCredentialStored}
	loginExpired   = []string{api.EventLoginStarted, api.EventLoginExpired}
	loginCancelled = []string{api.EventLoginStarted, api.EventLoginCancelled}
	loginFailed    = []string{api.EventLoginStarted, api.EventLoginFailed}
)

// A daemon whose ownership is lost polls on, while another one sweeps. The start
// of the login is no news to that one: it was not there.
func TestRaceSweepAgainstPoll(t *testing.T) {
	short := sandbox.Config{CodeLifetime: 8 * time.Second}
	asks := sandbox.Config{CodeLifetime: 8 * time.Second, Approve: sandbox.ApproveManual}

	race(t, "sweep, then the poll's token", short, outcome{
		Logins: []string{"expired expired_token"}, Audit: []string{fromA, expiredA, lateA},
		Told:           map[string][]string{"poller": loginExpired, "sweeper": loginExpired[1:]},
		Authorizations: 1, Polls: 1, Tokens: 1, Revocations: 1,
	}, func(r *racing) {
		poller := r.daemon("poller")
		token := poller.park(answerToPoll)
		soon(r.t, poller.start("cli-A"))
		soon(r.t, token.reached)
		time.Sleep(5 * time.Second) // past the expiry
		r.daemon("sweeper")
		poller.loseOwnership()
		time.Sleep(2 * time.Second)
		token.release()
	})
	race(t, "the poll's token, then sweep", short, outcome{
		Logins: []string{"authorized"}, Stored: true, Audit: []string{fromA, yesA},
		Told:           map[string][]string{"poller": loginDone, "sweeper": loginDone[1:]},
		Authorizations: 1, Polls: 1, Tokens: 1,
	}, func(r *racing) {
		poller := r.daemon("poller")
		won := poller.park("after UpdateLogin persisting")
		soon(r.t, poller.start("cli-A"))
		soon(r.t, won.reached)
		time.Sleep(5 * time.Second)
		r.daemon("sweeper")
		poller.loseOwnership()
		time.Sleep(2 * time.Second) // the sweeper finishes what was won
		won.release()
	})
	for order, elsewhere := range map[string]string{
		"the poll's token, then sweep before it is stored": "after Settle",
		"the poll's token, then sweep, then both store it": "before Settle",
	} {
		race(t, order, short, outcome{
			Logins: []string{"authorized"}, Stored: true, Audit: []string{fromA, yesA},
			Told:           map[string][]string{"poller": loginDone, "sweeper": loginDone[1:]},
			Authorizations: 1, Polls: 1, Tokens: 1,
		}, func(r *racing) {
			poller := r.daemon("poller")
			ours := poller.park("before Settle")
			soon(r.t, poller.start("cli-A"))
			soon(r.t, ours.reached)
			time.Sleep(5 * time.Second)
			sweeper := r.racer("sweeper")
			theirs := sweeper.park(elsewhere)
			r.run(sweeper)
			poller.loseOwnership()
			soon(r.t, theirs.reached)
			time.Sleep(2 * time.Second) // in which the poller sees that it has lost the login
			ours.release()
			time.Sleep(time.Second)
			theirs.release()
		})
	}
	race(t, "sweep, then the tick's expiry", asks, outcome{
		Logins: []string{"expired expired_token"}, Audit: []string{fromA, expiredA},
		Told:           map[string][]string{"poller": loginExpired, "sweeper": loginExpired[1:]},
		Authorizations: 1, Polls: 1,
	}, func(r *racing) {
		poller := r.daemon("poller")
		tick := poller.park("before UpdateLogin expired")
		soon(r.t, poller.start("cli-A"))
		soon(r.t, tick.reached)
		r.daemon("sweeper")
		poller.loseOwnership()
		time.Sleep(2 * time.Second)
		tick.release()
	})
	race(t, "the tick's expiry, then sweep", asks, outcome{
		Logins: []string{"expired expired_token"}, Audit: []string{fromA, expiredA},
		Told:           map[string][]string{"poller": loginExpired, "sweeper": loginExpired[1:]},
		Authorizations: 1, Polls: 1,
	}, func(r *racing) {
		poller := r.daemon("poller")
		soon(r.t, poller.start("cli-A"))
		time.Sleep(6 * time.Second)
		poller.loseOwnership()
		sweeper := r.racer("sweeper")
		sweep := sweeper.park("before ClaimLogin")
		r.run(sweeper)
		soon(r.t, sweep.reached)
		time.Sleep(5 * time.Second)
		sweep.release()
	})
}

func TestRaceCancelAgainstPersist(t *testing.T) {
	race(t, "cancel, then the token", sandbox.Config{}, outcome{
		Logins: []string{"cancelled cli-B"}, Audit: []string{fromA, "cancelled cli-B", lateA},
		Told: map[string][]string{"daemon": loginCancelled}, Authorizations: 1, Polls: 1, Tokens: 1, Revocations: 1,
	}, func(r *racing) {
		d := r.daemon("daemon")
		token := d.park(answerToPoll)
		flow := soon(r.t, d.start("cli-A"))
		soon(r.t, token.reached)
		soon(r.t, d.cancel(flow.DeviceFlowID, "cli-B"))
		token.release()
	})
	race(t, "cancel while it is stored", sandbox.Config{}, outcome{
		Logins: []string{"authorized"}, Stored: true, Audit: []string{fromA, asked, keptA},
		Told: map[string][]string{"daemon": loginDone}, Authorizations: 1, Polls: 1, Tokens: 1,
	}, func(r *racing) {
		d := r.daemon("daemon")
		settle := d.park("before Settle")
		flow := soon(r.t, d.start("cli-A"))
		soon(r.t, settle.reached)
		for _, client := range []string{"cli-B", "cli-C"} { // the first one counts
			soon(r.t, d.cancel(flow.DeviceFlowID, client))
		}
		settle.release()
	})
	race(t, "cancel while it cannot be stored", sandbox.Config{}, outcome{
		Logins: []string{"cancelled cli-B"},
		Audit:  []string{fromA, asked, "failed cli-A lost_success: cancelled, and the store failed; revoked"},
		Told:   map[string][]string{"daemon": loginCancelled}, Authorizations: 1, Polls: 1, Tokens: 1, Revocations: 1,
	}, func(r *racing) {
		d := r.daemon("daemon")
		r.store.Intercept(func(op string, _ credential.Key) error {
			if op == "Settle" {
				return errors.New("disk full")
			}
			return nil
		})
		settle := d.park("before Settle")
		flow := soon(r.t, d.start("cli-A"))
		soon(r.t, settle.reached)
		soon(r.t, d.cancel(flow.DeviceFlowID, "cli-B"))
		settle.release()
		time.Sleep(40 * time.Second) // it tries for half a minute
	})
	race(t, "stored, then cancel", sandbox.Config{}, outcome{
		Logins: []string{"authorized"}, Stored: true, Audit: []string{fromA, yesA},
		Told: map[string][]string{"daemon": loginDone}, Authorizations: 1, Polls: 1, Tokens: 1,
	}, func(r *racing) {
		d := r.daemon("daemon")
		settled := d.park("after Settle")
		flow := soon(r.t, d.start("cli-A"))
		soon(r.t, settled.reached)
		soon(r.t, d.cancel(flow.DeviceFlowID, "cli-B"))
		settled.release()
	})
}

func TestRaceTwoStarts(t *testing.T) {
	const takeOver = "started cli-B: take-over (per-provider singleton; original initiator=cli-A)"
	once := func(daemons ...string) outcome {
		o := outcome{
			Logins: []string{"authorized"}, Stored: true, Audit: []string{fromA, takeOver, yesA},
			Told: map[string][]string{}, Authorizations: 1, Polls: 1, Tokens: 1,
		}
		for _, name := range daemons {
			o.Told[name] = loginDone
		}
		return o
	}
	// both is the end of each race: one start, joined by the other.
	both := func(r *racing, first, second <-chan started) {
		r.t.Helper()
		a, b := soon(r.t, first), soon(r.t, second)
		if !a.fresh || a.UserCode == "" || b.fresh || !b.Attached || b.UserCode != "" || a.DeviceFlowID != b.DeviceFlowID {
			r.t.Errorf("started:\n%+v\n%+v\nwant one flow, whose code its initiator is shown", a, b)
		}
		time.Sleep(6 * time.Second)
	}

	race(t, "at two daemons, while the provider is asked", sandbox.Config{}, once("one", "two"), func(r *racing) {
		one, two := r.daemon("one"), r.daemon("two")
		asking := one.park(answerToStart)
		first := one.start("cli-A")
		soon(r.t, asking.reached)
		second := two.start("cli-B")
		time.Sleep(1050 * time.Millisecond) // the second looks ten times a second
		asking.release()
		both(r, first, second)
	})
	race(t, "at two daemons, before the provider is asked", sandbox.Config{}, once("one", "two"), func(r *racing) {
		one, two := r.daemon("one"), r.daemon("two")
		creating := two.park("before CreateLogin")
		second := two.start("cli-B")
		soon(r.t, creating.reached)
		first := one.start("cli-A")
		synctest.Wait()
		creating.release()
		both(r, first, second)
	})
	race(t, "at one daemon, while the provider is asked", sandbox.Config{}, once("daemon"), func(r *racing) {
		d := r.daemon("daemon")
		asking := d.park(answerToStart)
		first := d.start("cli-A")
		soon(r.t, asking.reached)
		second := d.start("cli-B")
		synctest.Wait()
		asking.release()
		both(r, first, second)
	})
	race(t, "at one daemon, before the provider is asked", sandbox.Config{}, once("daemon"), func(r *racing) {
		d := r.daemon("daemon")
		creating := d.park("before CreateLogin")
		first := d.start("cli-A")
		soon(r.t, creating.reached)
		second := d.start("cli-B")
		synctest.Wait()
		creating.release()
		both(r, first, second)
	})
}

// One daemon stops, and the next one, to which the start is no news, is there
// before it has.
func TestRaceStopAgainstPersist(t *testing.T) {
	for order, place := range map[string]string{
		"stop, then the win is written": "before UpdateLogin persisting",
		"the win is written, then stop": "before Settle",
	} {
		race(t, order, sandbox.Config{}, outcome{
			Logins: []string{"authorized"}, Stored: true, Audit: []string{fromA, yesA},
			Told:           map[string][]string{"stopping": loginDone, "next": loginDone[1:]},
			Authorizations: 1, Polls: 1, Tokens: 1,
		}, func(r *racing) {
			stopping := r.daemon("stopping")
			write := stopping.park(place)
			soon(r.t, stopping.start("cli-A"))
			soon(r.t, write.reached)
			stopped := stopping.close(time.Second)
			r.daemon("next")
			time.Sleep(10 * time.Second) // two intervals, in which the next daemon could poll
			select {
			case <-stopped:
				r.t.Error("stopped before the token was stored")
			default:
			}
			write.release()
			soon(r.t, stopped)
		})
	}
	race(t, "stored and stopped, then the claim", sandbox.Config{}, outcome{
		Logins: []string{"authorized"}, Stored: true, Audit: []string{fromA, yesA},
		Told:           map[string][]string{"stopping": loginDone, "next": loginDone[1:]},
		Authorizations: 1, Polls: 1, Tokens: 1,
	}, func(r *racing) {
		stopping := r.daemon("stopping")
		settle := stopping.park("before Settle")
		soon(r.t, stopping.start("cli-A"))
		soon(r.t, settle.reached)
		next := r.racer("next")
		claim := next.park("before ClaimLogin") // of a login that it has seen unfinished
		r.run(next)
		soon(r.t, claim.reached)
		settle.release()
		soon(r.t, stopping.close(time.Second))
		claim.release()
		time.Sleep(10 * time.Second) // in which the next daemon could poll
	})
}

func TestRaceTakeOverAgainstExpiry(t *testing.T) {
	asks := sandbox.Config{CodeLifetime: 8 * time.Second, Approve: sandbox.ApproveManual}

	race(t, "expiry, then take-over", asks, outcome{
		Logins: []string{"expired expired_token", "pending"}, Audit: []string{fromA, expiredA, "started cli-B"},
		Told:           map[string][]string{"daemon": {api.EventLoginStarted, api.EventLoginExpired, api.EventLoginStarted}},
		Authorizations: 2, Polls: 1,
	}, func(r *racing) {
		d := r.daemon("daemon")
		first := soon(r.t, d.start("cli-A"))
		joining := d.park("after CreateLogin") // the store has said that the first one lives
		second := d.start("cli-B")
		soon(r.t, joining.reached)
		time.Sleep(9 * time.Second)
		joining.release()
		if b := soon(r.t, second); !b.fresh || b.Attached || b.UserCode == "" || b.Status != api.FlowPending || b.DeviceFlowID == first.DeviceFlowID {
			r.t.Errorf("after the expiry %+v was started, want a new flow", b)
		}
	})
	race(t, "take-over, then expiry", asks, outcome{
		Logins:         []string{"expired expired_token"},
		Audit:          []string{fromA, "started cli-B: take-over (per-provider singleton; original initiator=cli-A)", expiredA},
		Told:           map[string][]string{"one": loginExpired, "two": loginExpired[1:]}, // it was there at the start
		Authorizations: 1, Polls: 1,
	}, func(r *racing) {
		one := r.daemon("one")
		first := soon(r.t, one.start("cli-A"))
		expiry := one.park("before UpdateLogin expired")
		soon(r.t, expiry.reached)
		two := r.daemon("two")
		if b := soon(r.t, two.start("cli-B")); b.fresh || !b.Attached || b.DeviceFlowID != first.DeviceFlowID {
			r.t.Errorf("before the expiry %+v was started, want the first flow", b)
		}
		expiry.release()
	})
}

func TestRaceLogoutAgainstPersist(t *testing.T) {
	race(t, "logout, then it is stored", sandbox.Config{}, outcome{
		Logins: []string{"failed superseded"},
		Audit:  []string{fromA, "failed cli-A lost_success: superseded by a logout; revoked", "failed cli-A upstream_error: a logout of the same key came first"},
		Told:   map[string][]string{"daemon": loginFailed}, Authorizations: 1, Polls: 1, Tokens: 1, Revocations: 1,
	}, func(r *racing) {
		d := r.daemon("daemon")
		settle := d.park("before Settle")
		flow := soon(r.t, d.start("cli-A"))
		soon(r.t, settle.reached)
		if out := soon(r.t, d.logout()); out.CancelledLogin != flow.DeviceFlowID || out.Removed {
			r.t.Errorf("Logout = %+v", out)
		}
		settle.release()
	})
	race(t, "stored, then logout", sandbox.Config{}, outcome{
		Logins: []string{"authorized"}, Audit: []string{fromA, yesA, "removed: revocation: revoked"},
		Told:           map[string][]string{"daemon": append(loginDone[:3:3], api.EventCredentialRemoved)},
		Authorizations: 1, Polls: 1, Tokens: 1, Revocations: 2,
	}, func(r *racing) {
		d := r.daemon("daemon")
		settle := d.park("before Settle")
		soon(r.t, d.start("cli-A"))
		soon(r.t, settle.reached)
		looked := d.park("after LiveLogin") // the logout has found a login that may still be stopped
		logout := d.logout()
		soon(r.t, looked.reached)
		settle.release()
		synctest.Wait()
		looked.release()
		if out := soon(r.t, logout); out.CancelledLogin != "" || !out.Removed {
			r.t.Errorf("Logout = %+v", out)
		}
	})
}
