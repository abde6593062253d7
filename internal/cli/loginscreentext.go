package cli

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/safetext"
	"github.com/usherauth/usher/internal/term"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/provider"
)

// loginPage is what a person is to know of a pending login at a moment. Its
// methods are the texts, each without line breaks and with no foreign character
// that could command a terminal.
type loginPage struct {
	login    api.Login
	provider provider.Provider
	now      time.Time

	tunnel  string   // the ssh command that brings a browser elsewhere back here; empty: none
	opened  bool     // a browser on this machine was sent to the link
	pasting bool     // an address can be pasted here
	keys    []string // what single keys do, such as "Esc cancel"; none can be read if empty
	notice  string   // what came of the last key or paste
}

// title says what the person logs in to.
func (p loginPage) title() string {
	name := p.named()
	if p.login.Attached {
		return "Joined the pending login to " + name
	}
	return "Log in to " + name
}

// named is the provider by its title, and the key if that says more.
func (p loginPage) named() string {
	if p.provider.Title == p.login.Key {
		return show(p.login.Key)
	}
	return fmt.Sprintf("%s (%s)", show(p.provider.Title), show(p.login.Key))
}

// asked says who asked for what, and what else there is to know before.
func (p loginPage) asked() []string {
	who := "asked by " + show(p.login.Origin)
	if !p.login.CreatedAt.IsZero() {
		who += " at " + p.login.CreatedAt.Local().Format("15:04")
	}
	if len(p.login.Scopes) > 0 {
		who += ", to get: " + show(strings.Join(p.login.Scopes, " "))
	}
	if p.provider.Note == "" {
		return []string{who}
	}
	return []string{who, "note: " + show(p.provider.Note)}
}

// byCode reports whether the browser is sent back with an answer, instead of
// showing a page where a code is compared or entered.
func (p loginPage) byCode() bool { return p.login.Method == api.MethodCode }

// link is the link to open as it may be shown; the error says why it is none.
func (p loginPage) link() (string, error) {
	return safetext.URL(p.rawLink())
}

func (p loginPage) rawLink() string {
	switch {
	case p.byCode():
		return p.login.AuthorizationURI
	case p.login.VerificationURIComplete != "":
		return p.login.VerificationURIComplete
	}
	return p.login.VerificationURI
}

// openThis is the sentence before the link.
func (p loginPage) openThis() string { return "open this link " + p.where() }

// where is the place to open the link at.
func (p loginPage) where() string {
	switch u, err := url.Parse(p.rawLink()); {
	case p.byCode():
		return "in a browser"
	case err == nil && safetext.IsLoopback(u.Hostname()):
		return "in a browser on this machine" // a phone would ask itself
	}
	return "on any device"
}

// code is the user code as it is shown; by method code there is none.
func (p loginPage) code() string {
	if p.byCode() {
		return ""
	}
	code, _ := safetext.UserCode(p.login.UserCode)
	return code
}

// codeIs says what the code is good for.
func (p loginPage) codeIs() string {
	if p.login.VerificationURIComplete != "" {
		return "It shows this code:"
	}
	return "Enter this code:"
}

// elsewhere is the link that can be read out to another person, if it is another
// one than the complete one (RFC 8628 section 3.3.1).
func (p loginPage) elsewhere() string {
	if p.byCode() || p.login.VerificationURIComplete == "" {
		return ""
	}
	plain, err := safetext.URL(p.login.VerificationURI)
	if err != nil {
		return ""
	}
	return "Or enter it at " + plain
}

// back says how the answer of the browser gets here, by method code.
func (p loginPage) back() string {
	const lost = "When it ends on a page that cannot be shown, "
	switch {
	case !p.byCode():
		return ""
	case p.pasting:
		return lost + "paste its address here."
	}
	return lost + "hand over its address with: usher login complete " + show(p.login.ID)
}

// tunnelIs is the sentence before the ssh command.
const tunnelIs = "To let the browser come back by itself, run this first, where it is:"

// noLink warns of a link that is not to be opened.
func (p loginPage) noLink(err error) string {
	return fmt.Sprintf("the provider's link is not one to open: %v. It is \"%s\"", err, show(p.rawLink()))
}

// oddCode reports whether the code is none that people are used to.
func (p loginPage) oddCode() bool {
	_, plain := safetext.UserCode(p.login.UserCode)
	return !plain && !p.byCode()
}

// caution is against the login that somebody else has started.
func (p loginPage) caution() string {
	switch {
	case p.login.Attached: // leaving it does not end it
		return "If you do not know who started it, do not approve."
	case len(p.keys) > 0:
		return "If you did not start this, press Esc."
	}
	return "If you did not start this, press Ctrl-C."
}

// follow takes over what changes while a login is pending. Link, code and who
// asked stay what they were.
func (p *loginPage) follow(l api.Login, now time.Time) {
	p.now = now
	p.login.ExpiresAt, p.login.Interval = l.ExpiresAt, l.Interval
	p.login.LastPolledAt, p.login.NextPollAt = l.LastPolledAt, l.NextPollAt
	p.login.Throttled, p.login.Trouble = l.Throttled, l.Trouble
}

// news is what has changed since was, for those who are not shown the live line.
func (p loginPage) news(was loginPage) []string {
	var out []string
	switch {
	case p.login.Trouble == was.login.Trouble && p.login.Throttled == was.login.Throttled:
	case p.login.Trouble != "" && p.login.Trouble == was.login.Trouble: // the pace comes after it
	case p.login.Trouble != "":
		out = append(out, p.troubleOrPace())
	case p.login.Throttled:
		out = append(out, p.troubleOrPace())
	case was.login.Trouble != "":
		out = append(out, "the provider answers again")
	}
	if p.lastMinute() && !was.lastMinute() {
		out = append(out, "less than a minute left")
	}
	return out
}

// lastMinute reports whether the code is about to run out.
func (p loginPage) lastMinute() bool { return p.left() <= time.Minute }

func (p loginPage) left() time.Duration { return p.login.ExpiresAt.Sub(p.now) }

// waiting says how long there is to approve.
func (p loginPage) waiting() string {
	if p.lastMinute() {
		return lastWaiting + " (" + clock(p.left()) + ")"
	}
	return "waiting for approval, " + clock(p.left()) + " left"
}

const lastWaiting = "waiting for approval, less than a minute left"

// live is the line that changes: how the login goes. News takes the place of what
// goes without saying.
func (p loginPage) live() string {
	if p.notice != "" {
		return clock(p.left()) + " left; " + p.notice
	}
	if way := p.troubleOrPace(); way != "" {
		return clock(p.left()) + " left; " + way
	}
	switch last := p.login.LastPolledAt; {
	case last.IsZero():
		return p.waiting()
	case p.now.Sub(last) < time.Second:
		return p.waiting() + ", checked just now"
	default:
		return p.waiting() + ", checked " + when(last, p.now)
	}
}

// troubleOrPace is what keeps the login from progress, or makes it slow.
func (p loginPage) troubleOrPace() string {
	l := p.login
	switch {
	case l.Trouble != "" && l.NextPollAt.After(p.now):
		return troubleText(l.Trouble) + " " + when(l.NextPollAt, p.now)
	case l.Trouble != "":
		return troubleText(l.Trouble)
	case l.Throttled && l.Interval > 0:
		return fmt.Sprintf("the provider wants a slower pace: every %d s", l.Interval)
	case l.Throttled:
		return "the provider wants a slower pace"
	}
	return ""
}

// troubles says in plain words what keeps a login from progress, and ends so that
// the time of the next try may follow.
var troubles = map[string]string{
	login.TroubleUnreachable: "the provider cannot be reached, trying again",
	login.TroubleError:       "the provider answers with errors, trying again",
	login.TroubleRateLimited: "the provider asks to wait, trying again",
}

// liveRows is how many rows the live line takes at most, but for words of others:
// those of the longest that it has of its own.
func liveRows(columns int) int {
	longest := lastWaiting + " (0:00), checked 119 s ago"
	return 1 + strings.Count(term.Wrap(longest, columns), "\n")
}

func troubleText(trouble string) string {
	if text, ok := troubles[trouble]; ok {
		return text
	}
	return "trouble: " + show(trouble) + ", trying again" // of a daemon that is newer than this
}
