package broker

import (
	"context"
	"errors"
	"slices"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/provider"
)

// StartLogin starts a login, or joins the one that is pending for the key; then
// Attached is set. The answer carries the user code and the links, whoever
// started the login: what of it r's caller is shown is the server's decision.
func (b *Broker) StartLogin(ctx context.Context, r api.StartLogin) (api.Login, error) {
	s, joined, err := b.start(ctx, r, r.Caller().Name())
	if err != nil {
		return api.Login{}, apiError(err, r.Key)
	}
	view := b.loginView(s, revealed)
	view.Attached = joined
	return view, nil
}

func (b *Broker) start(ctx context.Context, r api.StartLogin, initiator string) (login.Snapshot, bool, error) {
	key, err := credential.ParseKey(r.Key)
	if err != nil {
		return login.Snapshot{}, false, err
	}
	req, err := b.request(ctx, key, r)
	if err != nil {
		return login.Snapshot{}, false, err
	}
	req.Initiator = initiator
	b.remember(ctx, key) // so that a change of account can be told
	s, joined, err := b.logins.Start(ctx, req)
	if err == nil && joined {
		err = checkJoined(s, r.ShareWith, req.ShareWith)
	}
	return s, joined, err
}

// request is what the configuration says about a login of key. What must be
// asked of the provider is left to Resolve, so that a pending login can be
// joined, and a store that fails is noticed, without a request.
func (b *Broker) request(ctx context.Context, key credential.Key, r api.StartLogin) (login.Request, error) {
	req := login.Request{Key: key, Scopes: r.Scopes, Origin: r.Origin, Trace: r.Trace}
	if req.Origin == "" {
		req.Origin = b.cfg.Origin
	}
	var err error
	if _, ok := b.cfg.InProcess[key.Provider]; ok {
		if req.Method, _, err = methodOf(r, provider.Provider{}); err != nil {
			return req, err
		}
		req.ShareWith, err = b.sharedWith(ctx, key, r.ShareWith, provider.Provider{})
		return req, err
	}
	p, err := b.cfg.Providers.Lookup(key.Provider)
	if err != nil {
		return req, err
	}
	if err := p.Check(); err != nil {
		return req, err
	}
	if len(req.Scopes) == 0 {
		req.Scopes = p.Scopes
	}
	if req.Method, req.RedirectURI, err = methodOf(r, p); err != nil {
		return req, err
	}
	if req.ShareWith, err = b.sharedWith(ctx, key, r.ShareWith, p); err != nil {
		return req, err
	}
	req.PollInterval = p.PollInterval
	if p.TellContext {
		req.Extra = contextParameter(req.Origin)
	}
	req.Resolve = func(ctx context.Context) (credential.Binding, error) { return b.bind(ctx, p) }
	return req, nil
}

// bind freezes where a login at p sends what. Nothing after it reads the
// configuration again, but for the client secret.
func (b *Broker) bind(ctx context.Context, p provider.Provider) (credential.Binding, error) {
	at, err := b.resolver.Resolve(ctx, p)
	if err != nil {
		return credential.Binding{}, err
	}
	if at.Warning != nil {
		b.cfg.Log.Warn("discovery", "error", at.Warning)
	}
	return credential.Binding{
		Endpoints: at.Endpoints, ClientID: p.ClientID, AuthStyle: at.AuthStyle,
		Dialect: p.Dialect, Resource: p.Resource,
	}, nil
}

// GetLogin returns a login with its code and links while it is pending.
func (b *Broker) GetLogin(ctx context.Context, id string) (api.Login, error) {
	s, err := b.logins.Get(ctx, id)
	if err != nil {
		return api.Login{}, loginError(err, id)
	}
	return b.finished(ctx, b.loginView(s, revealed)), nil
}

// WaitLogin returns the login when it has ended. When ctx ends first, it
// returns the login as it is with an error of [api.CodeLoginPending].
func (b *Broker) WaitLogin(ctx context.Context, id string) (api.Login, error) {
	s, err := b.logins.Wait(ctx, id)
	if err != nil && s.ID == "" {
		return api.Login{}, loginError(err, id)
	}
	view := b.loginView(s, revealed)
	if err != nil {
		if errors.Is(err, login.ErrClosed) {
			return view, api.Errorf(api.CodeDaemonStopping, "the login is still pending and the daemon is stopping")
		}
		return view, api.Errorf(api.CodeLoginPending, "the login of %s is still pending", view.Key).
			WithHint("run the same command again to go on waiting: usher login %s", view.Key)
	}
	return b.finished(ctx, view), nil
}

// finished adds to an authorized login the credential that it stored, as long
// as that still is the current one.
func (b *Broker) finished(ctx context.Context, view api.Login) api.Login {
	if view.Status != api.LoginAuthorized {
		return view
	}
	key := credential.Key{Provider: view.Provider, Account: view.Account}
	if c, err := b.cfg.Store.Get(ctx, key); err == nil && c.Grant == view.ID {
		cv := credentialView(c)
		view.Credential = &cv
	}
	return view
}

// CancelLogin ends a pending login on behalf of by; one that has ended is
// returned as it is.
func (b *Broker) CancelLogin(ctx context.Context, id string, by api.Caller) (api.Login, error) {
	s, err := b.logins.Cancel(ctx, id, by.Name())
	if err != nil {
		return api.Login{}, loginError(err, id)
	}
	return b.loginView(s, public), nil
}

// RecordReveal writes to the audit log that by is shown the code and the links
// of l, which somebody else has started.
func (b *Broker) RecordReveal(ctx context.Context, l api.Login, by api.Caller) {
	r := audit.Record{
		Action: audit.ActionLogin, Status: audit.StatusRevealed, Key: l.Key, LoginID: l.ID,
		ClientID: by.ClientID,
	}
	if s, err := b.logins.Get(ctx, l.ID); err == nil {
		r.TraceID = s.Trace
	}
	b.record(r)
}

// Logins returns all logins, pending ones and those that ended within the
// grace, oldest first and without codes and links.
func (b *Broker) Logins(ctx context.Context) ([]api.Login, error) {
	all, err := b.logins.List(ctx)
	if err != nil {
		return nil, apiError(err, "")
	}
	views := make([]api.Login, 0, len(all))
	for _, s := range all {
		views = append(views, b.loginView(s, public))
	}
	return views, nil
}

// liveLogins returns the logins that have not ended.
func (b *Broker) liveLogins(ctx context.Context) ([]login.Snapshot, error) {
	all, err := b.logins.List(ctx)
	return slices.DeleteFunc(all, func(s login.Snapshot) bool { return !s.Live() }), err
}
