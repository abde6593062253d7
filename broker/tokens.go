package broker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/token"
)

// Token returns a usable access token, refreshing it first if needed. An error
// of [api.CodeLoginNeeded] means that only a person can help.
func (b *Broker) Token(ctx context.Context, r api.TokenRequest) (api.Token, error) {
	key, err := credential.ParseKey(r.Key)
	if err != nil {
		return api.Token{}, apiError(err, r.Key)
	}
	if r.MinTTL < 0 {
		return api.Token{}, api.Errorf(api.CodeInvalidRequest, "min_ttl must not be negative")
	}
	if r.Rejected != "" {
		if err := b.tokens.Rejected(ctx, key, secret.New(r.Rejected)); err != nil {
			return api.Token{}, b.keyError(err, key)
		}
	}
	t, err := b.tokens.Token(ctx, key, time.Duration(r.MinTTL)*time.Second)
	if err != nil {
		return api.Token{}, b.keyError(err, key)
	}
	logHandedOut(b.cfg.Log, key, t)
	baseURL, moved := b.baseURL(key, t)
	return api.Token{
		AccessToken: t.AccessToken.Reveal(), TokenType: t.Type, ExpiresAt: utc(t.ExpiresAt),
		Scopes: t.Scopes, BaseURL: baseURL, Moved: moved, Short: t.Short,
	}, nil
}

// baseURL is where API calls with t go: what the provider named, read by the
// configured rule, or what is configured. It is advice, so trouble with the
// configuration only leaves it out. It is not known once that has moved to
// another server than the one that t is of.
func (b *Broker) baseURL(key credential.Key, t token.Token) (base string, moved bool) {
	p, err := b.cfg.Providers.Lookup(key.Provider)
	if err != nil {
		return "", false
	}
	if !t.Binding.SameServer(p.Endpoints) {
		return "", true
	}
	base, err = p.APIBase(t.ResourceURL)
	if err != nil {
		b.cfg.Log.Warn("the provider named an unusable place for API calls", "key", key.String(), "error", err)
	}
	return base, false
}

// keepAlive is how long a refresh token of c lives unused, by configuration.
func (b *Broker) keepAlive(c credential.Credential) time.Duration {
	p, err := b.cfg.Providers.Lookup(c.Key.Provider)
	if err != nil {
		return 0
	}
	return p.KeepAlive
}

// Credentials returns every stored credential, in key order.
func (b *Broker) Credentials(ctx context.Context) ([]api.Credential, error) {
	views := []api.Credential{}
	for c, err := range b.cfg.Store.List(ctx) {
		if err != nil {
			return nil, apiError(err, "")
		}
		views = append(views, credentialView(c))
	}
	return views, nil
}

// readable returns the stored credentials, in key order, and how many there are
// besides that cannot be read: one must not hide the others.
func (b *Broker) readable(ctx context.Context) (creds []credential.Credential, unreadable int, err error) {
	for c, err := range b.cfg.Store.List(ctx) {
		if _, one := errors.AsType[*credential.UnreadableError](err); one {
			b.cfg.Log.Warn("unreadable credential", "error", err)
			unreadable++
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		creds = append(creds, c)
	}
	return creds, unreadable, nil
}

// Credential returns the credential of key, or an error of
// [api.CodeLoginNeeded] if there is none, [api.CodeUnknownProvider] if there
// cannot be one.
func (b *Broker) Credential(ctx context.Context, key string) (api.Credential, error) {
	k, err := credential.ParseKey(key)
	if err != nil {
		return api.Credential{}, apiError(err, key)
	}
	c, err := b.cfg.Store.Get(ctx, k)
	if err != nil {
		return api.Credential{}, b.keyError(err, k)
	}
	return credentialView(c), nil
}

// keyError is the error for what was asked about key. Where nobody has logged in
// and there is no such provider, the name is a slip, which no login could mend.
func (b *Broker) keyError(err error, key credential.Key) *api.Error {
	var needed *token.LoginNeededError
	never := errors.Is(err, credential.ErrNotFound) || errors.As(err, &needed) && needed.NeverLoggedIn
	if _, own := b.cfg.InProcess[key.Provider]; never && !own {
		if _, unknown := b.cfg.Providers.Lookup(key.Provider); errors.Is(unknown, provider.ErrUnknown) {
			err = unknown
		}
	}
	return apiError(err, key.String())
}

// Providers returns every provider that is configured or built in, by name.
func (b *Broker) Providers(context.Context) ([]api.Provider, error) {
	listed := b.cfg.Providers.List()
	views := make([]api.Provider, 0, len(listed))
	for _, p := range listed {
		if _, own := b.cfg.InProcess[p.Name]; !own {
			views = append(views, providerView(p))
		}
	}
	for name := range b.cfg.InProcess {
		views = append(views, api.Provider{Name: name, Methods: []string{string(credential.MethodDevice)}, Ready: true})
	}
	slices.SortFunc(views, func(a, b api.Provider) int { return strings.Compare(a.Name, b.Name) })
	return views, nil
}
