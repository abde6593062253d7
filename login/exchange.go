package login

import (
	"context"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/failpoint"
	"github.com/usherauth/usher/oauth"
)

// exchangeTimeout bounds the exchange of a code, its repetitions included.
const exchangeTimeout = 30 * time.Second

// The pauses before the repetitions of an exchange.
var (
	pausesNotSent = []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond}
	pausesBroken  = []time.Duration{500 * time.Millisecond}
)

// exchange sends the code of a login that is exchanging (RFC 6749 section 4.1.3)
// and ends the login with what comes back. It returns an error, and the login is
// pending again, only if the code was never sent.
func (r *Registry) exchange(e *entry, client *oauth.Client, a accepted) error {
	failpoint.Hit("login.exchanging")
	token, unsure, err := r.redeem(client, a)
	switch {
	case err == nil:
		cred := r.credential(e.login(), token)
		r.withinPersist(e, func(ctx context.Context) { r.win(ctx, e, cred) })
	case oauth.OutcomeOf(err) == oauth.NotSent && !unsure:
		return r.takeBack(e, a.grant, err)
	default:
		r.cfg.Log.Info("exchanging a code", "key", e.login().Key.String(), "error", err)
		r.finish(e, exchangeEnd(err, unsure))
	}
	return nil
}

// redeem makes the exchange. What was provably not sent is sent again. So is,
// once and at once, what was sent on a connection that broke, or was answered
// with a server's fault: if the server had worked on it, it denies the
// repetition and revokes what it issued (RFC 6749 section 4.1.2), which is
// tokens that nobody got; if it had not, the login is saved. After a time-out
// nothing is sent again: the first copy may still be worked on, and a server
// that sees both revokes an answer that is on its way. Nor is anything after
// an answer that could not be used, since that spent the code. unsure tells
// that an answer with a token may have been lost.
func (r *Registry) redeem(client *oauth.Client, a accepted) (_ *oauth.Token, unsure bool, err error) {
	ctx, cancel := context.WithTimeout(r.ctx, exchangeTimeout)
	defer cancel()
	notSent, broken := pausesNotSent, pausesBroken
	for {
		token, err := client.ExchangeCode(ctx, a.code, a.grant.RedirectURI, a.grant.CodeVerifier)
		if err == nil {
			return token, false, nil
		}
		var pauses *[]time.Duration
		switch kind := kindOf(err); {
		case oauth.OutcomeOf(err) == oauth.NotSent && kind != oauth.KindConfig:
			pauses = &notSent
		case oauth.OutcomeOf(err) == oauth.Ambiguous:
			unsure = true
			if kind == oauth.KindNetwork || kind == oauth.KindServer {
				pauses = &broken
			}
		}
		if pauses == nil || len(*pauses) == 0 {
			return nil, unsure, err
		}
		pause := (*pauses)[0]
		*pauses = (*pauses)[1:]
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, unsure, err
		}
	}
}

func kindOf(err error) oauth.Kind {
	if e, ok := err.(*oauth.Error); ok {
		return e.Kind
	}
	return ""
}

// exchangeEnd is the end of a login whose exchange failed. unsure tells that an
// answer with a token may have been lost.
func exchangeEnd(err error, unsure bool) credential.Ended {
	switch code := oauth.CodeOf(err); {
	case code != "":
		return answeredEnd(code, unsure)
	case unsure:
		return lostExchange()
	}
	return ended(credential.LoginFailed, credential.Failure{
		Code: string(api.CodeProviderRefused), FromProvider: true,
		Hint: "the provider answered the code with something that is not OAuth; log in again",
	})
}

// lostExchange is the end of a login whose code may be spent for a token that
// never arrived: its answer was lost, or the process that sent it has died.
func lostExchange() credential.Ended {
	return failed(credential.Failure{
		Code: string(api.CodeLostSuccess), Hint: "the provider's answer was lost and its code is spent; log in again",
	})
}

// takeBack makes a login pending again whose code was never sent, and returns
// why it was not. The code is still good, as long as the provider keeps it.
func (r *Registry) takeBack(e *entry, grant credential.CodeGrant, why error) error {
	_, err := r.transition(context.WithoutCancel(r.ctx), e, func(l *credential.Login) bool {
		_, ok := l.State.(credential.Exchanging)
		if ok {
			l.State = credential.AwaitingCode{Code: grant}
		}
		return ok
	})
	if err != nil {
		r.finish(e, failed(credential.Failure{
			Code: string(api.CodeProviderUnreachable), Hint: "the provider could not be reached; log in again",
		}))
		return nil
	}
	if s := e.snapshot(); !s.Live() {
		return &EndedError{s.Status()} // cancelled meanwhile
	}
	r.own(e)
	return why
}

// own has this process look after a login of method code that waits for its
// answer: it ends it when that has not come in time.
func (r *Registry) own(e *entry) {
	e.mu.Lock()
	e.owned = true
	e.deadline = instant(e.record.expires).Sub(r.began)
	e.mu.Unlock()
	r.arm(e, 0)
}
