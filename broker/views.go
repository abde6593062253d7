package broker

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/provider"
)

// reveal says whether a view of a login carries the code and the links.
type reveal bool

const (
	public   reveal = false
	revealed reveal = true
)

// loginView is the native view of a login.
func (b *Broker) loginView(s login.Snapshot, show reveal) api.Login {
	v := api.Login{
		ID: s.ID, Key: s.Key.String(), Provider: s.Key.Provider, Account: s.Key.Account,
		Method: string(s.Method), Status: string(s.Status()), Scopes: s.Scopes, Origin: s.Origin,
		Initiator: s.Initiator,
		CreatedAt: utc(s.CreatedAt), EndedAt: utc(s.EndedAt()), Trouble: s.Trouble,
	}
	if v.Method == "" {
		v.Method = api.MethodCode // it is starting: see credential.Login.Method
	}
	if s.Live() {
		v.Status = api.LoginPending
		v.ExpiresAt = utc(s.ExpiresAt)
		v.Interval = int((s.Interval + time.Second - 1) / time.Second)
		v.LastPolledAt, v.NextPollAt, v.Throttled = utc(s.LastPolledAt), utc(s.NextPollAt), s.Slowed
		if p, ok := s.Prompt(); ok && bool(show) {
			v.UserCode = p.UserCode
			v.VerificationURI = p.VerificationURI
			v.VerificationURIComplete = p.VerificationURIComplete
			v.AuthorizationURI = p.AuthorizationURI
		}
	}
	switch f := s.Failure(); {
	case f.Code != "":
		v.Error = &api.Failure{Code: failureCode(f.Code), Hint: f.Hint}
	case s.Status() == credential.LoginCancelled:
		v.Error = &api.Failure{Code: api.CodeCancelled, Hint: "the login was cancelled"}
	}
	return v
}

// failureCode is the error code of a stored failure.
func failureCode(stored string) api.Code {
	if stored == login.FailurePersist {
		return api.CodeStoreFailure
	}
	return api.Code(stored)
}

// stateOf is c's state as people see it: what cannot be renewed needs a login
// once its token has ended, although nothing was stored about that.
func stateOf(c credential.Credential) (credential.State, credential.Cause) {
	end := c.ExpiresAt()
	if c.State == credential.Active && c.Kind == credential.Refreshable && c.RefreshToken.IsZero() &&
		!end.IsZero() && !time.Now().Before(end) {
		return credential.NeedsLogin, credential.CauseNoRefreshToken
	}
	return c.State, c.Cause
}

func credentialView(c credential.Credential) api.Credential {
	state, cause := stateOf(c)
	return api.Credential{
		Key: c.Key.String(), Provider: c.Key.Provider, Account: c.Key.Account, Kind: string(c.Kind),
		Alias: c.Alias, State: string(state), Cause: string(cause), Scopes: c.Scopes,
		ExpiresAt: utc(c.ExpiresAt()), RefreshedAt: utc(c.RefreshedAt), Generation: c.Generation,
		NeedsLoginBy: utc(needsLoginBy(c)), ShareWith: c.Share.Tool,
	}
}

// needsLoginBy is when a person will be needed, zero if that is not known: at the
// end of the access token when there is nothing to renew it with, and else at
// that of the refresh token, unless the access token outlives it.
func needsLoginBy(c credential.Credential) time.Time {
	end := c.ExpiresAt()
	switch {
	case c.State != credential.Active || c.Kind != credential.Refreshable:
		return time.Time{}
	case c.RefreshToken.IsZero():
		return end
	case c.RefreshExpiresAt.IsZero() || end.IsZero():
		return time.Time{}
	case end.After(c.RefreshExpiresAt):
		return end
	}
	return c.RefreshExpiresAt
}

func providerView(p provider.Provider) api.Provider {
	v := api.Provider{
		Name: p.Name, Title: p.Title, Scopes: p.Scopes, ClientID: p.ClientID,
		Methods: p.Methods(), Ready: true,
	}
	if err := p.Check(); err != nil {
		v.Ready, v.Missing, v.Help = false, []string{"client_id"}, p.ClientIDHelp
	}
	return v
}

// utc is t as bodies show it: in UTC, without a monotonic reading and without
// fractions of a second.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}

// contextParameter tells a provider that shows it to the person who approves
// who asks.
func contextParameter(origin string) url.Values {
	user, host, ok := strings.Cut(origin, "@")
	if !ok {
		return nil
	}
	text, err := json.Marshal(map[string]string{"user": user, "host": host, "started": time.Now().UTC().Format(time.RFC3339)})
	if err != nil {
		return nil
	}
	return url.Values{"usher_context": {string(text)}}
}
