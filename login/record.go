package login

import (
	"strings"
	"time"
	"unique"

	"github.com/usherauth/usher/credential"
)

// record is a [credential.Login] that takes little room: there may be ten
// thousand, and what many have in common is kept once.
type record struct {
	id, account, initiator string
	trace                  string // empty: the one that id makes
	common                 unique.Handle[common]
	version                uint64
	created, expires       int64 // Unix time in ns, 0 for the zero time
	interval               time.Duration
	state                  credential.LoginState
	superseded             bool
}

// common is what the logins that one process makes at one provider share.
type common struct {
	provider string
	method   credential.Method
	binding  credential.Binding
	scopes   string // joined by zero bytes
	origin   string
	share    string // what the credential is to be shared with
	owner    string
}

func makeRecord(l credential.Login) record {
	r := record{
		id: l.ID, account: l.Key.Account, initiator: l.Initiator, trace: l.Trace,
		common: unique.Make(common{
			provider: l.Key.Provider, method: l.Method, binding: l.Binding,
			scopes: strings.Join(l.Scopes, "\x00"), origin: l.Origin, share: l.ShareWith, owner: l.Owner,
		}),
		version: l.Version, created: nanos(l.CreatedAt), expires: nanos(l.ExpiresAt), interval: l.Interval,
		state: compact(l.State), superseded: l.Superseded,
	}
	if r.trace == traceOf(l.ID) {
		r.trace = ""
	}
	if r.account == credential.DefaultAccount {
		r.account = credential.DefaultAccount // the constant, not a copy of it
	}
	return r
}

// compact is s with the strings that all prompts of a provider share kept once.
func compact(s credential.LoginState) credential.LoginState {
	if p, ok := s.(credential.Pending); ok {
		p.Device.VerificationURI = unique.Make(p.Device.VerificationURI).Value()
		return p
	}
	return s
}

func (r *record) login() credential.Login {
	c := r.common.Value()
	l := credential.Login{
		ID: r.id, Key: credential.Key{Provider: c.provider, Account: r.account}, Version: r.version,
		Method: c.method, Binding: c.binding, Initiator: r.initiator, Origin: c.origin, ShareWith: c.share, Trace: r.trace,
		Owner: c.owner, CreatedAt: instant(r.created), ExpiresAt: instant(r.expires), Interval: r.interval,
		Superseded: r.superseded, State: r.state,
	}
	if l.Trace == "" {
		l.Trace = traceOf(r.id)
	}
	if c.scopes != "" {
		l.Scopes = strings.Split(c.scopes, "\x00")
	}
	return l
}

func (r *record) status() credential.LoginStatus { return credential.Login{State: r.state}.Status() }

// live reports whether the login may still change.
func (r *record) live() bool { return r.status().Live() }

func (r *record) endedAt() time.Time { return credential.Login{State: r.state}.EndedAt() }

// traceOf is the trace id of a login that was given none: 32 hex digits, as
// the W3C's Trace Context has them.
func traceOf(id string) string { return strings.ReplaceAll(id, "-", "") }

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
