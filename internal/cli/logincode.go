package cli

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/login/callback"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/secret"
)

// answerListener is where the browser comes back to in a login of method code,
// and what decides by which method to log in. In a login of method device it
// listens nowhere. So does nil, which stands for one once the login has started.
type answerListener struct {
	app      *app
	provider provider.Provider
	flow     flow
	port     int // --callback-port
	listener *callback.Listener
	// trouble is why nobody listens although somebody should: the address is to be
	// pasted.
	trouble error
}

// listenForAnswer makes the listener for a login that may be of method code: it
// is there before there is a link. Where it takes the provider's answer to know
// the method, it listens in advance; see start.
func (a *app) listenForAnswer(s *session, o loginOptions) (*answerListener, error) {
	switch {
	case o.callbackPort < 0 || o.callbackPort > 65535:
		return nil, usagef("--callback-port must be a port, from 1 to 65535")
	case o.callbackPort != 0 && o.flow == flowDevice:
		return nil, usagef("--callback-port does not go with --flow device: no browser comes back then")
	}
	p, _ := a.lookProvider(s, providerOf(o.key)) // what is wrong with it, the start of the login tells
	b := &answerListener{app: a, provider: p, flow: o.flow, port: o.callbackPort}
	if !b.mayBeCode() || o.flow == flowAuto && p.Endpoints.DeviceAuthorization != "" {
		return b, nil
	}
	return b, b.listen()
}

// mayBeCode reports whether a login by method code may be had, as far as is known
// without asking the provider.
func (b *answerListener) mayBeCode() bool {
	return b.flow != flowDevice && slices.Contains(b.provider.Methods(), api.MethodCode)
}

// listen listens. It fails only if the person has named the port: otherwise the
// login goes on without, and the address can be pasted.
func (b *answerListener) listen() error {
	l, err := callback.Listen(callback.Config{
		Provider: b.provider.Name, RedirectURIs: b.provider.RedirectURIs, Port: b.port,
	})
	if err == nil {
		b.listener = l
		return nil
	}
	var busy *callback.PortError
	switch taken := errors.As(err, &busy); {
	case b.port == 0 && taken:
		b.trouble = err
		return nil
	case b.port == 0: // the browser is sent to another machine
		return nil
	case taken:
		return api.Errorf(api.CodeConflict, "%w", err).
			WithHint("choose another port with --callback-port, or leave it out for a free one")
	}
	return usagef("--callback-port %d: %w", b.port, err).
		WithHint("see its redirect_uris: usher provider show %s", b.provider.Name)
}

// method is the method to ask for; empty leaves it to the provider.
func (b *answerListener) method() string {
	if b == nil || b.flow == flowAuto {
		return ""
	}
	return string(b.flow)
}

// redirectURI is where the browser is to come back to; empty if nobody listens.
func (b *answerListener) redirectURI() string {
	if b == nil || b.listener == nil {
		return ""
	}
	return b.listener.RedirectURI()
}

// start starts the login that r asks for, or joins the one that is pending.
// Afterwards b listens for that very login, or not at all.
func (b *answerListener) start(ctx context.Context, s service, r api.StartLogin) (api.Login, error) {
	r.Method, r.RedirectURI = b.method(), b.redirectURI()
	login, err := s.StartLogin(ctx, r)
	if b.deviceForbidden(err) {
		login, err = b.startByCode(ctx, s, r, err)
	}
	if err != nil {
		return login, b.explain(err, r.Key)
	}
	b.follow(login)
	return login, nil
}

// deviceForbidden reports whether err, of a start, says that the provider does
// not let this client log in by method device, though others may.
func (b *answerListener) deviceForbidden(err error) bool {
	var e *api.Error
	return errors.As(err, &e) && e.Code == api.CodeProviderRefused && b.flow == flowAuto && b.mayBeCode() &&
		(e.Kind == oauth.ErrorUnauthorizedClient || e.Kind == oauth.ErrorUnsupportedGrantType)
}

// startByCode starts the login r by method code, since the provider refused the
// other one with refused; that is the error if it has no method code either.
func (b *answerListener) startByCode(ctx context.Context, s service, r api.StartLogin, refused error) (api.Login, error) {
	if b.listener == nil {
		if err := b.listen(); err != nil {
			return api.Login{}, err
		}
	}
	r.Method, r.RedirectURI = api.MethodCode, b.redirectURI()
	login, err := s.StartLogin(ctx, r)
	switch {
	case errors.Is(err, &api.Error{Code: api.CodeUnsupportedMethod}):
		return login, refused
	case err == nil:
		b.app.sayf("usher: %s does not let this client log in with a code on another device; going on in the browser",
			show(b.provider.Title))
	}
	return login, err
}

// explain adds to the error of a login that did not start by which method it
// may.
func (b *answerListener) explain(err error, key string) error {
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeUnsupportedMethod {
		return err
	}
	methods := b.provider.Methods()
	switch {
	case b.flow == flowDevice && slices.Contains(methods, api.MethodCode):
		return e.WithHint("log in with a browser that comes back to this machine: usher login %s --flow code", key)
	case b.flow == flowCode && slices.Contains(methods, api.MethodDevice):
		return e.WithHint("log in with a code on any device: usher login %s --flow device", key)
	}
	return err
}

// follow makes b listen where the browser of login comes back to, and nowhere
// else: the login may have come to be of method device, or be another process's
// that listens itself.
func (b *answerListener) follow(login api.Login) {
	to := redirectURI(login)
	if to == b.redirectURI() {
		to = "" // so it does
	} else {
		b.close()
	}
	if to != "" {
		l, err := callback.Rejoin(to)
		if err == nil {
			b.listener, b.trouble = l, nil
		}
	}
	if b.trouble != nil && login.Method == api.MethodCode && !login.Attached {
		b.app.warnf("%s; copy the address that the browser shows at the end, and paste it here", b.trouble)
	}
}

// redirectURI is where the browser comes back to at the end of a login; empty by
// method device, and to whoever may not see the link.
func redirectURI(login api.Login) string {
	u, err := url.Parse(login.AuthorizationURI)
	if err != nil {
		return ""
	}
	return u.Query().Get("redirect_uri")
}

// rejoin makes the listener for a login that is pending already. It listens only
// if no other process does.
func (a *app) rejoin(s *session, login api.Login) *answerListener {
	p, _ := a.lookProvider(s, login.Provider)
	b := &answerListener{app: a, provider: p, flow: flowAuto}
	login.Attached = true
	b.follow(login)
	return b
}

// serve passes answers on to the login until the returned function is called.
// That one waits a moment for a page that is about to tell how the login ended.
func (b *answerListener) serve(ctx context.Context, s service, login api.Login) (stop func()) {
	if b == nil || b.listener == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	listener := b.listener
	done := make(chan struct{})
	go func() {
		defer close(done)
		listener.Serve(ctx, b.provider.Title, func(ctx context.Context, redirected secret.String) callback.Outcome {
			return outcome(s.CompleteLogin(ctx, login.ID, api.CompleteLogin{RedirectedURL: redirected.Reveal()}))
		})
	}()
	return func() {
		cancel()
		<-done
	}
}

// outcome is what the page says of an answer that the login took, or did not.
func outcome(l api.Login, err error) callback.Outcome {
	if err != nil {
		switch asError(err).Code {
		case api.CodeStateMismatch, api.CodeIssuerMismatch, api.CodeInvalidRequest:
			return callback.Stray
		case api.CodeLoginEnded, api.CodeLoginNotFound:
			return callback.Over
		case api.CodeConflict, api.CodeInterrupted, api.CodeTimeout:
			return callback.Unfinished
		}
		return callback.Unsent
	}
	switch l.Status {
	case api.LoginAuthorized:
		return callback.LoggedIn
	case api.LoginDenied:
		return callback.Denied
	case api.LoginPending:
		return callback.Unfinished
	}
	return callback.Failed
}

// close ends the listener.
func (b *answerListener) close() {
	if b != nil && b.listener != nil {
		b.listener.Close()
		b.listener = nil
	}
}
