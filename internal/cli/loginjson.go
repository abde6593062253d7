package cli

import (
	"time"

	"github.com/usherauth/usher/api"
)

// loginLine is one thing that happened to a login, and the login as it was then.
type loginLine struct {
	Event string    `json:"event"`
	Time  time.Time `json:"time"`
	api.Login
}

// The events of a [loginLine] beside those of [api.Event].
const (
	lineJoined    = "login.joined"    // it was pending already
	lineTrouble   = "login.trouble"   // something keeps it from progress
	lineRecovered = "login.recovered" // nothing does any more
	linePending   = "login.pending"   // it goes on, and nobody waits for it here
)

// printLogin prints l as what happened to it just now.
func (a *app) printLogin(event string, l api.Login) error {
	return a.printJSON(loginLine{Event: event, Time: time.Now().UTC().Truncate(time.Second), Login: l})
}

// jsonView shows a login to a program: one line each time that something
// happens. Whoever stops reading does not cut off the login.
type jsonView struct {
	app  *app
	last api.Login // as the newest line or look had it
}

func (v *jsonView) begin(l api.Login) {
	v.last = l
	switch {
	case l.Ended(): // is told by end
	case l.Attached:
		v.print(lineJoined)
	default:
		v.print(api.EventLoginStarted)
	}
}

func (v *jsonView) update(l api.Login) {
	was := v.last
	v.last = l
	if l.Throttled && !was.Throttled || l.Interval > was.Interval {
		v.print(api.EventLoginThrottled)
	}
	switch l.Trouble {
	case was.Trouble:
	case "":
		v.print(lineRecovered)
	default:
		v.print(lineTrouble)
	}
}

func (v *jsonView) end(l api.Login) {
	if !l.Ended() {
		v.print(linePending)
		return
	}
	v.last = l
	v.print("login." + l.Status)
}

func (v *jsonView) input() <-chan loginInput { return nil }

func (v *jsonView) print(event string) { _ = v.app.printLogin(event, v.last) }
