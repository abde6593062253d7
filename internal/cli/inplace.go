package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/term"
)

// askPatience is how long a question waits for its answer: whoever has gone
// away, or is a program that does not read, gets the error after it.
const askPatience = time.Minute

// canAsk reports whether somebody is there to answer a question: they type at
// this process and see what it says, and it is no robot that was given a
// terminal.
func (a *app) canAsk() bool {
	return a.err.Terminal() && term.CanRead(a.in) && a.getenv("CI") != "true"
}

// agree asks a question whose answer is yes or no; Enter alone is yes. Silence
// is no. The error is that of an interrupt.
func (a *app) agree(ctx context.Context, question string) (bool, error) {
	asking, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	for {
		answer, err := a.err.Ask(asking, a.in, show(question)+" [Y/n] ")
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err != nil:
			return false, nil
		}
		switch strings.ToLower(answer) {
		case "", "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
	}
}

// neededLogin is err if it says that a login is needed, and nil else.
func neededLogin(err error) *api.Error {
	var e *api.Error
	if errors.As(err, &e) && e.Code.Exit() == api.ExitLoginNeeded {
		return e
	}
	return nil
}

// canOffer reports whether a login may be offered in place of an error, and
// could begin.
func (a *app) canOffer(s *session, o tokenOptions) bool {
	if o.quiet || o.json || !a.canAsk() {
		return false
	}
	p, err := catalogue(s.dirs).Lookup(providerOf(o.key))
	return err == nil && p.Check() == nil
}

// offerLogin asks whether to log in now, and does. Without a yes the error is
// needed, what there would have been without a terminal.
func (a *app) offerLogin(ctx context.Context, s *session, key string, needed *api.Error) error {
	yes, err := a.agree(ctx, key+" needs a login: "+because(needed)+". Log in now?")
	if err != nil {
		return err
	}
	if !yes {
		return needed
	}
	return a.logIn(ctx, s, loginOptions{key: key, flow: flowAuto, qr: qrAuto})
}

// because is why a login is needed, in words.
func because(needed *api.Error) string {
	switch {
	case needed.Code == api.CodeProviderMismatch:
		return causeText(string(credential.CauseProviderChanged))
	case needed.Kind != "":
		return causeText(needed.Kind)
	}
	return "nobody is logged in yet"
}

// canStartOver reports whether the login that ended with err may be offered
// again: its code has run out, or its answer was lost.
func (a *app) canStartOver(o loginOptions, err error) bool {
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeExpired && e.Code != api.CodeLostSuccess {
		return false
	}
	return !o.quiet && !o.json && o.timeout == 0 && a.canAsk()
}

// startOver asks whether to begin again after a login that ended with e. Where
// the question can be erased, it takes a single key.
func (a *app) startOver(ctx context.Context, e *api.Error) (bool, error) {
	if e.Code == api.CodeExpired && a.err.CanLive() {
		asking, cancel := context.WithTimeout(ctx, askPatience)
		defer cancel()
		if keyboard, err := a.err.Keys(asking, a.in); err == nil {
			defer keyboard.Close()
			return a.pressEnter(keyboard, "The code has run out. Press Enter for a fresh one, Esc to leave."), ctx.Err()
		}
	}
	return a.agree(ctx, e.Message+". Start over?")
}

// pressEnter shows question, and reports whether the person presses Enter before
// they press Esc, or keys are not read any more.
func (a *app) pressEnter(keyboard *term.Keyboard, question string) bool {
	defer a.pose(question)()
	for key := range keyboard.Events() {
		switch key.Rune {
		case term.KeyEnter:
			return true
		case term.KeyEsc, term.KeyEOF:
			return false
		}
	}
	return false
}
