package broker

import (
	"context"
	"strings"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/uuid"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/token"
)

// known is what was last told of a credential, or noted of one that nothing has
// been told of.
type known struct {
	noted       bool // and not told
	generation  uint64
	grant       string
	alias       string
	state       credential.State
	refreshedAt time.Time
	removed     bool // generation is that of the tombstone
}

func knownOf(c credential.Credential) known {
	return known{generation: c.Generation, grant: c.Grant, alias: c.Alias, state: c.State, refreshedAt: c.RefreshedAt}
}

// remember takes note of the credential that a login will replace, where none is
// known. It may be one that is stored already and about to be told of.
func (b *Broker) remember(ctx context.Context, key credential.Key) {
	c, err := b.cfg.Store.Get(ctx, key)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.known[key]; !ok {
		k := knownOf(c)
		k.noted = true
		b.known[key] = k
	}
}

// evidence says how it is known that a credential changed.
type evidence bool

const (
	stored evidence = true  // a login, an import or the watch found it stored
	used   evidence = false // it was met in use, and may have been there for long
)

// announce tells what is new about c, once per generation, whoever changed it:
// the events of credentials are derived from what is stored.
func (b *Broker) announce(c credential.Credential, by evidence) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, had := b.known[c.Key]
	if had && c.Generation == old.generation && old.noted && by == stored {
		old, had = known{}, false // it was noted before it could be told
	}
	if had && c.Generation <= old.generation {
		return
	}
	b.known[c.Key] = knownOf(c)
	b.status.drop()
	view := credentialView(c)
	// Appended under the mutex, so that events of one key keep their order.
	tell := func(typ string) { b.events.Append(api.Event{Type: typ, Credential: &view}) }
	switch {
	case c.Grant != old.grant && (had || c.RefreshedAt.IsZero()):
		tell(api.EventCredentialStored)
		if had && old.alias != "" && c.Alias != "" && old.alias != c.Alias {
			tell(api.EventCredentialAccountChanged)
		}
	case c.State == credential.NeedsLogin && old.state != credential.NeedsLogin:
		tell(api.EventCredentialNeedsLogin)
	case c.RefreshedAt.After(old.refreshedAt):
		tell(api.EventCredentialRefreshed)
	}
}

// announceRemoved tells that the credential of key is gone. last is its last
// generation, 0 if only what was told of it is known. What is removed stays
// known, so that who read it before does not tell of it as new.
func (b *Broker) announceRemoved(key credential.Key, last uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, had := b.known[key]
	switch {
	case last > old.generation:
	case !had || old.removed:
		return
	default:
		last = old.generation
	}
	b.known[key] = known{generation: last + 1, removed: true}
	b.status.drop()
	b.events.Append(api.Event{Type: api.EventCredentialRemoved, Credential: &api.Credential{
		Key: key.String(), Provider: key.Provider, Account: key.Account, Alias: old.alias,
		Generation: last + 1,
	}})
}

// onToken is told by the token manager.
func (b *Broker) onToken(e token.Event) {
	b.tallies.count(e)
	switch e.Type {
	case token.Refreshed, token.NeedsLogin, token.Adopted:
		b.announce(e.Credential, used)
	case token.Removed:
		b.announceRemoved(e.Credential.Key, 0)
	case token.ShareRestored:
		view := credentialView(e.Credential)
		b.events.Append(api.Event{Type: api.EventCredentialShareRestored, Credential: &view})
	}
	if status, ok := refreshStatus[e.Type]; ok {
		b.record(audit.Record{
			TraceID: newTrace(), Action: audit.ActionRefresh, Status: status, Key: e.Credential.Key.String(),
			Generation: e.Credential.Generation, ErrorKind: string(e.Credential.Cause),
		})
	}
}

// refreshStatus maps the manager's events to those worth an audit record.
var refreshStatus = map[token.EventType]string{
	token.Refreshed:  audit.StatusRefreshed,
	token.NeedsLogin: audit.StatusNeedsLogin,
	token.Superseded: audit.StatusSuperseded,
}

// record writes to the audit log. Its failing must not undo what was done, so
// it is told to the operator and no more.
func (b *Broker) record(r audit.Record) {
	if err := b.cfg.Audit.Record(r); err != nil {
		b.cfg.Log.Error("writing the audit log", "error", err)
	}
}

// loginEvents maps the registry's events to those of the native surface.
// Joined and LostSuccess are for the audit log alone.
var loginEvents = map[login.EventType]string{
	login.Started:    api.EventLoginStarted,
	login.Throttled:  api.EventLoginThrottled,
	login.Authorized: api.EventLoginAuthorized,
	login.Denied:     api.EventLoginDenied,
	login.Expired:    api.EventLoginExpired,
	login.Failed:     api.EventLoginFailed,
	login.Cancelled:  api.EventLoginCancelled,
}

// onLogin is told by the login registry.
func (b *Broker) onLogin(e login.Event) {
	if e.Credential != nil {
		b.tokens.Forget(e.Credential.Key) // before anyone can act on the event
	}
	if typ, ok := loginEvents[e.Type]; ok && e.Login.Begun() {
		b.tellLogin(typ, e)
	}
	if e.Credential != nil {
		b.announce(*e.Credential, stored)
	}
	if !e.Foreign && !e.Recorded {
		b.auditLogin(e)
	}
}

func (b *Broker) auditLogin(e login.Event) {
	r := audit.Record{
		Action: audit.ActionLogin, Status: loginStatus[e.Type], Key: e.Login.Key.String(),
		TraceID: e.Login.Trace, LoginID: e.Login.ID, ClientID: api.CallerClientID(e.By), Hint: e.Hint,
	}
	if f := e.Login.Failure(); f.Code != "" {
		r.ErrorKind, r.Hint = auditFailure(e.Login, e.Hint)
	}
	switch e.Type {
	case login.Started:
		r.ExpiresIn = time.Until(e.Login.ExpiresAt)
	case login.Throttled:
		r.Interval = e.Login.Interval
	case login.LostSuccess:
		r.ErrorKind = string(api.CodeLostSuccess)
	case login.LateAnswer:
		r.ErrorKind = api.KindUpstreamError
	case login.Joined:
		by := api.CallerClientID(e.Login.Initiator)
		if by == "" {
			by = "(none)"
		}
		r.Hint = "take-over (per-provider singleton; original initiator=" + by + ")"
	}
	b.record(r)
}

// auditFailure is the kind and the hint of a failed login in the audit log,
// whose words are those of the compatible surface. The kind alone says all of
// what our own clock and disk brought about, unless there is a special hint.
func auditFailure(l credential.Login, special string) (kind, hint string) {
	flow := deviceFlow(login.Snapshot{Login: l}, "")
	if special != "" || flow.Status == api.FlowExpired || flow.ErrorKind == api.KindPersistFailed {
		return flow.ErrorKind, special
	}
	return flow.ErrorKind, flow.Hint
}

// newTrace is a trace id for an operation that is no login's.
func newTrace() string { return strings.ReplaceAll(uuid.New(), "-", "") }

// loginStatus maps the registry's events to the audit log's vocabulary, which
// is that of the compatible surface: a denied login is a failed one there.
var loginStatus = map[login.EventType]string{
	login.Started:     audit.StatusStarted,
	login.Joined:      audit.StatusStarted,
	login.Throttled:   audit.StatusThrottled,
	login.Authorized:  audit.StatusAuthorized,
	login.Denied:      audit.StatusFailed,
	login.Failed:      audit.StatusFailed,
	login.LostSuccess: audit.StatusFailed,
	login.Expired:     audit.StatusExpired,
	login.Cancelled:   audit.StatusCancelled,

	login.CancelDeferred: audit.StatusCancelled,
	login.LateSuccess:    audit.StatusAuthorized,
	login.LateAnswer:     audit.StatusFailed,
}
