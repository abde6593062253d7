package login

import (
	"context"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
)

// Provider is how a device login talks to its provider. The registry has one
// for every OAuth provider built in; a Go program may bring its own with
// [Config.Providers].
//
// Both methods are called by one goroutine at a time per login, honour their
// context, and make exactly one attempt. Their errors should be [oauth.Error]s;
// one with a code alone can end a login early. Any other error, and a
// panic, counts as trouble on the way. Of no error is a text shown, stored or
// logged, nor a code that no RFC has: [ErrProvider] or facts stand for it.
type Provider interface {
	// Start asks for a device authorization (RFC 8628 section 3.1). Without PKCE the
	// result has no CodeVerifier. ExpiresIn and Interval may be left out; the
	// user code and the verification URI may not. What comes is checked as if
	// it had come over the wire, see [oauth.DeviceAuthorization.Checked] and
	// [oauth.Token.Checked].
	Start(ctx context.Context, r oauth.DeviceRequest) (*oauth.DeviceAuthorization, error)
	// Poll asks once whether the person has approved (RFC 8628 section 3.4). A
	// refresh token of an in-process provider is not kept: a refresh goes to
	// the token endpoint that a login is bound to, and there is none. When the
	// access token ends, a login is needed.
	Poll(ctx context.Context, g credential.DeviceGrant) (*oauth.Token, error)
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
		return inProcess{l.Key.Provider, p, r.cfg.Log}, nil
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
