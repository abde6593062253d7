package cli

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/safetext"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/provider"
)

// personView shows a login to a person.
type personView struct {
	app     *app
	p       provider.Provider
	o       loginOptions
	trouble string
}

func (a *app) loginView(l api.Login, p provider.Provider, o loginOptions) loginView {
	if o.json {
		return &jsonView{app: a}
	}
	return &personView{app: a, p: p, o: o}
}

func (v *personView) begin(l api.Login) {
	if !l.Ended() {
		v.app.showLogin(l, v.p, v.o.qr != qrNever)
	}
}

func (v *personView) update(l api.Login) {
	if v.app.err.CanLive() {
		v.app.err.Live(progressLine(l, time.Now()))
	} else if l.Trouble != v.trouble {
		v.app.sayf("%s", troubleLine(l.Trouble))
		v.trouble = l.Trouble
	}
}

func (v *personView) end(api.Login) { v.app.err.Erase() }

func (v *personView) input() <-chan loginInput { return nil }

// showLogin tells a person how to approve a pending login. The link stands
// alone on its line, neither indented nor wrapped, so that any terminal can
// select it whole; the QR code comes last, where it is sure to be seen.
func (a *app) showLogin(l api.Login, p provider.Provider, qr bool) {
	name := show(p.Title)
	if p.Title != l.Key {
		name = fmt.Sprintf("%s (%s)", name, l.Key)
	}
	if l.Attached {
		a.sayf("A login to %s is pending already; joining it.", name)
	} else {
		a.sayf("Log in to %s", name)
	}
	asked := "for " + show(l.Origin)
	if len(l.Scopes) > 0 {
		asked += ", to get: " + show(strings.Join(l.Scopes, " "))
	}
	a.sayf("%s", asked)
	if p.Note != "" {
		a.sayf("note: %s", show(p.Note))
	}
	code, plain := safetext.UserCode(l.UserCode)
	if !plain {
		a.warnf("the code is not made of letters and digits only; compare it with care")
	}
	link, complete := l.VerificationURIComplete, true
	if link == "" {
		link, complete = l.VerificationURI, false
	}
	shown, err := safetext.URL(link)
	if err != nil {
		a.warnf("the provider's link is not one to open (%v); it is: %s", err, safetext.Line(link, 0))
		shown, qr = "", false
	}
	if shown != "" {
		a.sayf("\n%s\n", openThis(l))
		a.sayf("%s\n", shown)
	}
	if complete {
		a.sayf("It shows this code:  %s\n", a.err.Bold(code))
	} else {
		a.sayf("Enter this code:  %s\n", a.err.Bold(code))
	}
	if l.Attached { // Ctrl-C only leaves it
		a.sayf("If you do not know who started it, do not approve.")
	} else {
		a.sayf("If you did not start this, press Ctrl-C.")
	}
	if qr {
		// At least the code, two lines between, and the live line stay in
		// sight; on 24 lines a usual code leaves room for the link as well.
		if lines := a.err.QR(shown, 4); lines != nil {
			a.say(strings.Join(lines, "\n"))
		}
	}
}

// openThis is the sentence before the link. Beside a complete link it names the
// plain one, which can be read out to another person (RFC 8628 section 3.3.1).
func openThis(l api.Login) string {
	where := "On any device"
	if u, err := url.Parse(l.VerificationURI); err == nil && (u.Hostname() == "localhost" || literalLoopback(u.Hostname())) {
		where = "In a browser on this machine" // a phone would ask itself
	}
	if plain, err := safetext.URL(l.VerificationURI); err == nil && l.VerificationURIComplete != "" {
		return where + ", open " + plain + "\nand enter the code, or open this link, which brings it along:"
	}
	return where + ", open this link:"
}

// troubles says in plain words what keeps a login from progress.
var troubles = map[string]string{
	login.TroubleUnreachable: "the provider cannot be reached; trying again",
	login.TroubleError:       "the provider answers with errors; trying again",
	login.TroubleRateLimited: "the provider asks to wait; trying again later",
}

func progressLine(l api.Login, now time.Time) string {
	line := "waiting for approval, " + clock(l.ExpiresAt.Sub(now)) + " left"
	if l.Trouble != "" {
		line += "; " + troubleText(l.Trouble)
	}
	return line
}

func troubleLine(trouble string) string {
	if trouble == "" {
		return "usher: the provider answers again"
	}
	return "usher: " + troubleText(trouble)
}

func troubleText(trouble string) string {
	if text, ok := troubles[trouble]; ok {
		return text
	}
	return "trouble: " + show(trouble) // of a daemon that is newer than this
}

// tellEnd tells how a login ended. before is the credential that the key had.
func (a *app) tellEnd(l api.Login, before api.Credential) error {
	if l.Status != api.LoginAuthorized {
		return endError(l)
	}
	c := l.Credential
	if c == nil {
		a.sayf("Logged in to %s.", l.Key)
		return nil
	}
	as := ""
	if c.Alias != "" {
		as = " as " + c.Alias
	}
	a.sayf("Logged in to %s%s; %s.", l.Key, as, lifetime(*c, time.Now()))
	a.tellShared(*c)
	if before.Alias != "" && c.Alias != "" && before.Alias != c.Alias {
		a.warnf("this is another account than before, which was %s", before.Alias)
	}
	return nil
}

// lifetime says how long a fresh credential lasts.
func lifetime(c api.Credential, now time.Time) string {
	if c.ExpiresAt.IsZero() {
		return "the token lasts until it is revoked"
	}
	left := span(seconds(c.ExpiresAt.Sub(now)))
	switch {
	case !c.ExpiresAt.After(now) && loginNeeded(c, now) == nil: // of an import
		return "the token has ended and renews itself"
	case c.NeedsLoginBy.IsZero():
		return "the token lasts " + left + " and renews itself"
	case c.NeedsLoginBy.After(c.ExpiresAt):
		return "the token lasts " + left + " and renews itself for " + span(seconds(c.NeedsLoginBy.Sub(now)))
	default:
		return "the token lasts " + left + ", then log in again"
	}
}

// endError is the error for a login that ended without a credential.
func endError(l api.Login) *api.Error {
	var e *api.Error
	switch l.Status {
	case api.LoginDenied:
		e = api.Errorf(api.CodeAccessDenied, "the login for %s was denied", l.Key)
	case api.LoginExpired:
		e = api.Errorf(api.CodeExpired, "the login for %s expired before it was approved", l.Key)
	case api.LoginCancelled:
		e = api.Errorf(api.CodeCancelled, "the login for %s was cancelled", l.Key)
	default:
		e = api.Errorf(api.CodeInternal, "the login for %s failed", l.Key)
	}
	if l.Error != nil {
		e.Code = l.Error.Code
		// What a denial and an expiry hint at is said already.
		if l.Error.Hint != "" && l.Status != api.LoginDenied && l.Status != api.LoginExpired {
			e.Message += ": " + l.Error.Hint
		}
	}
	return e.WithHint("run: usher login %s", l.Key)
}
