package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
)

// eventTypes are the types of events that may be asked for.
func eventTypes() []string {
	return []string{
		api.EventLoginStarted, api.EventLoginThrottled, api.EventLoginAuthorized, api.EventLoginDenied,
		api.EventLoginExpired, api.EventLoginFailed, api.EventLoginCancelled,
		api.EventCredentialStored, api.EventCredentialRefreshed, api.EventCredentialNeedsLogin,
		api.EventCredentialAccountChanged, api.EventCredentialRemoved, api.EventCredentialShareRestored,
	}
}

// narrow is the width below which the lines that an event is wrapped into begin
// at the left, and not below its text.
const narrow = 60

// eventLine is e for a person: when, what it is about, and what happened. last is
// the id of the event before.
func (a *app) eventLine(e api.Event, last string, now time.Time) string {
	head, subject := eventTime(e.Time.Local(), now.Local())+"  ", ""
	if key := eventKey(e); key != "" {
		subject = show(key) + ":"
	}
	text := strings.TrimSpace(subject + " " + eventText(e, last))
	indent, columns := len(head), a.out.Columns()
	if columns > 0 && columns < narrow {
		head, text, indent = "", head+text, 2
	}
	text = term.Wrap(text, max(columns-indent, 0))
	text = strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", indent))
	if subject != "" && needsPerson(e) {
		text = strings.Replace(text, subject, a.out.Bold(subject), 1)
	}
	return head + text
}

// eventTime is the time of day, with the date if that is another than today's.
func eventTime(at, now time.Time) string {
	if at.Format(time.DateOnly) != now.Format(time.DateOnly) {
		return at.Format(time.DateTime)
	}
	return at.Format(time.TimeOnly)
}

// needsPerson reports whether somebody has to do something after e.
func needsPerson(e api.Event) bool {
	switch e.Type {
	case api.EventLoginDenied, api.EventLoginExpired, api.EventLoginFailed,
		api.EventCredentialNeedsLogin, api.EventCredentialAccountChanged:
		return true
	}
	return false
}

// eventText is what happened, in words.
func eventText(e api.Event, last string) string {
	switch {
	case e.Type == api.EventStreamResync:
		return resyncText(e, last)
	case e.Login != nil:
		return loginText(e.Type, *e.Login)
	case e.Credential != nil:
		return credentialText(e.Type, *e.Credential, e.Time)
	}
	return show(e.Type)
}

// resyncText says why events may be missing: a daemon numbers its events under a
// word of its own.
func resyncText(e api.Event, last string) string {
	why := "events may be missing before this"
	if epoch(last) != "" && epoch(last) != epoch(e.ID) {
		why = "the daemon was restarted, so " + why
	}
	return why + "; usher status shows how things are"
}

func epoch(id string) string { return id[:max(strings.LastIndexByte(id, '-'), 0)] }

func loginText(t string, l api.Login) string {
	switch t {
	case api.EventLoginStarted:
		by := ""
		if l.Origin != "" {
			by = " by " + show(l.Origin)
		}
		return "a login was started" + by + " and waits for approval"
	case api.EventLoginThrottled:
		return fmt.Sprintf("the provider wants to be asked less often: every %d s now", l.Interval)
	case api.EventLoginAuthorized:
		return "the login was approved"
	case api.EventLoginDenied:
		return "the login was denied"
	case api.EventLoginExpired:
		return "the login expired before it was approved"
	case api.EventLoginCancelled:
		return "the login was cancelled"
	case api.EventLoginFailed:
		if l.Error != nil && l.Error.Hint != "" {
			return "the login failed: " + show(l.Error.Hint)
		}
		return "the login failed"
	}
	return show(t)
}

// credentialText says what happened to c at a time.
func credentialText(t string, c api.Credential, at time.Time) string {
	switch t {
	case api.EventCredentialStored:
		as := ""
		if c.Alias != "" {
			as = " as " + show(c.Alias)
		}
		return "logged in" + as + "; " + lifetime(c, at)
	case api.EventCredentialRefreshed:
		return "renewed; " + lifetime(c, at)
	case api.EventCredentialNeedsLogin:
		return "a login is needed, as " + causeText(c.Cause) + "; run: usher login " + show(c.Key)
	case api.EventCredentialAccountChanged:
		return "this is another account than before: " + show(c.Alias)
	case api.EventCredentialRemoved:
		return "logged out; its tokens are gone from this machine"
	case api.EventCredentialShareRestored:
		return "the file shared with " + show(c.ShareWith) + " had been removed and is back"
	}
	return show(t)
}
