package login

import (
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
)

// Provider is how a device login talks to its provider. The registry has one
// for every OAuth provider built in; a Go program may bring its own with
// [Config.Providers].
//
// Both methods are called by one goroutine at a time per login, honour their
// context, and make exactly one attempt. Their errors should be [oauth.Error]s,
// which alone can end a login early; any other error counts as trouble on the
// way, and its text is neither shown nor logged: [ErrProvider] stands for it.
type Provider interface {
	// Start asks for a device authorization (RFC 8628 section 3.1). Without PKCE the
	// result has no CodeVerifier. ExpiresIn and Interval may be left out; the
	// user code and the verification URI may not.
	Start(ctx context.Context, r oauth.DeviceRequest) (*oauth.DeviceAuthorization, error)
	// Poll asks once whether the person has approved (RFC 8628 section 3.4).
	Poll(ctx context.Context, g credential.DeviceGrant) (*oauth.Token, error)
}

// ErrProvider stands for an error of an in-process [Provider] that is no
// [oauth.Error], and for an answer without what it must hold.
var ErrProvider = errors.New("the provider's own code failed")

// checkStart is a provider's answer fit for use, as package oauth makes it.
func checkStart(a *oauth.DeviceAuthorization, err error) (*oauth.DeviceAuthorization, error) {
	switch {
	case err != nil:
		return nil, ownWords(err)
	case a == nil || a.UserCode == "" || a.VerificationURI == "":
		return nil, ErrProvider
	}
	fit := *a
	if fit.Interval <= 0 {
		fit.Interval = 5 * time.Second // RFC 8628 section 3.2
	}
	if fit.ExpiresIn <= 0 {
		fit.ExpiresIn = 15 * time.Minute
	}
	fit.Interval, fit.ExpiresIn = max(fit.Interval, time.Second), min(fit.ExpiresIn, time.Hour)
	return &fit, nil
}

func checkPoll(t *oauth.Token, err error) (*oauth.Token, error) {
	switch {
	case err != nil:
		return nil, ownWords(err)
	case t == nil || t.AccessToken.IsZero():
		return nil, ErrProvider
	}
	return t, nil
}

// ownWords keeps back the text of foreign errors, which may hold anything.
func ownWords(err error) error {
	if _, ours := errors.AsType[*oauth.Error](err); ours {
		return err
	}
	return ErrProvider
}

// oauthProvider is the built-in [Provider]: the binding's endpoints.
type oauthProvider struct{ client *oauth.Client }

func (p oauthProvider) Start(ctx context.Context, r oauth.DeviceRequest) (*oauth.DeviceAuthorization, error) {
	return p.client.AuthorizeDevice(ctx, r)
}

func (p oauthProvider) Poll(ctx context.Context, g credential.DeviceGrant) (*oauth.Token, error) {
	return p.client.PollDevice(ctx, g.DeviceCode, g.CodeVerifier)
}

// provider returns what talks for l, from its binding and the client secret
// that configuration holds for it now.
func (r *Registry) provider(ctx context.Context, l credential.Login) (Provider, error) {
	if p, ok := r.cfg.Providers[l.Key.Provider]; ok {
		return p, nil
	}
	client, err := r.client(ctx, l)
	if err != nil {
		return nil, err
	}
	return oauthProvider{client}, nil
}

func (r *Registry) client(ctx context.Context, l credential.Login) (*oauth.Client, error) {
	client := l.Binding.Client(r.cfg.HTTP, noSecret)
	if r.cfg.ClientSecret == nil || l.Binding.AuthStyle == oauth.AuthNone {
		return client, nil
	}
	secret, err := r.cfg.ClientSecret(ctx, l.Key, l.Binding)
	if err != nil {
		return nil, err
	}
	client.Secret = secret
	return client, nil
}
