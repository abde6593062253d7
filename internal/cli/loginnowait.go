package cli

import (
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/safetext"
)

// leaveLogin prints a pending login and leaves it to whoever goes on with it:
// the daemon, or else an attendant (see startAttendant), which a login of method
// code needs in any case, to listen.
func (a *app) leaveLogin(ctx context.Context, s *session, l api.Login, back *answerListener, o loginOptions) error {
	if l.Method == api.MethodDevice && s.inProcess() || back.redirectURI() != "" {
		err := a.startAttendant(ctx, s, l, back)
		// Where sockets cannot be handed on, the address is brought.
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return a.notLeft(s, l, err)
		}
	}
	if o.json {
		view := &jsonView{app: a}
		view.begin(l)
		return nil
	}
	return a.tellLeft(l)
}

// notLeft is the error for a login that nobody would go on with. What was
// started here for nothing is cancelled.
func (a *app) notLeft(s *session, l api.Login, err error) error {
	if !l.Attached {
		ctx, cancel := context.WithTimeout(context.Background(), cancelBound)
		defer cancel()
		_, _ = s.CancelLogin(ctx, l.ID) // else it expires
	}
	return err
}

// tellLeft prints a login that is left to itself: for programs in lines of NAME
// and value, which a person can read as well, and for a person what comes next.
func (a *app) tellLeft(l api.Login) error {
	lines := []string{"id: " + l.ID}
	page := loginPage{login: l}
	if link, err := page.link(); err == nil {
		lines = append(lines, "link: "+link)
	} else {
		a.warnf("the provider's link is not one to open (%v); it is: %s", err, show(page.rawLink()))
	}
	if l.UserCode != "" {
		code, _ := safetext.UserCode(l.UserCode)
		lines = append(lines, "code: "+code)
	}
	lines = append(lines, "expires: "+l.ExpiresAt.Format(time.RFC3339))
	if err := a.printLines(lines); err != nil {
		return err
	}
	if l.Attached {
		a.sayf("A login for %s was pending already.", l.Key)
	}
	a.sayf("Open the link on any device and approve there, within %s.", span(seconds(time.Until(l.ExpiresAt))))
	if l.Method == api.MethodCode {
		a.sayf("If the browser ends on a page that cannot be shown, bring its address:")
		a.say("usher login complete " + l.Key)
	}
	a.sayf("To wait for the approval, run:")
	a.say("usher login wait " + l.Key)
	return nil
}
