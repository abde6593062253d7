package login

import (
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// ErrCompleting means that another process is exchanging the code of the login.
var ErrCompleting = errors.New("another answer for the login has come and is being worked on")

// An EndedError is the error for an answer that comes when the login has ended.
type EndedError struct{ Status credential.LoginStatus }

func (e *EndedError) Error() string { return "login has ended: " + string(e.Status) }

// Complete ends the pending login id of method code with the answer a of the
// authorization endpoint, and returns what it became. The first answer that
// carries the login's state, and the issuer where one is due (RFC 9207), wins,
// whether it brings a code or an error; its code is exchanged once, and then
// the login ends as one of method device does.
//
// Any other answer changes nothing: the error matches [oauth.ErrState],
// [oauth.ErrIssuer] or [ErrRedirectedURL], or is an [oauth.Error] for one that
// cannot be read. One that comes when the login has ended, or while it is
// ended by another answer, gets an [EndedError] or [ErrCompleting]. If the code
// could not be sent, the login is pending again, and the error is that of the
// exchange.
//
// It is not cut off by the caller: when ctx ends first, the call returns and
// the exchange goes on.
func (r *Registry) Complete(ctx context.Context, id string, a Answer) (Snapshot, error) {
	release, err := r.beginCompletion(ctx, id)
	if err != nil {
		return Snapshot{}, err
	}
	type result struct {
		s   Snapshot
		err error
	}
	done := make(chan result, 1)
	go func() { // counted in r.work by beginCompletion
		defer release()
		s, err := r.complete(context.WithoutCancel(ctx), id, a)
		done <- result{s, err}
	}()
	select {
	case res := <-done:
		return res.s, res.err
	case <-ctx.Done():
		return Snapshot{}, ctx.Err()
	}
}

// beginCompletion lets one completion of a login at a time through, so that of
// two answers the second meets what the first has led to.
func (r *Registry) beginCompletion(ctx context.Context, id string) (release func(), err error) {
	for {
		r.mu.Lock()
		if r.stopped {
			r.mu.Unlock()
			return nil, ErrClosed
		}
		before, busy := r.completing[id]
		if !busy {
			over := make(chan struct{})
			r.completing[id] = over
			r.work.Add(1)
			r.mu.Unlock()
			return func() {
				r.mu.Lock()
				delete(r.completing, id)
				r.mu.Unlock()
				close(over)
				r.work.Done()
			}, nil
		}
		r.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *Registry) complete(ctx context.Context, id string, a Answer) (Snapshot, error) {
	s, err := r.Get(ctx, id)
	switch {
	case err != nil:
		return Snapshot{}, err
	case s.Status() == credential.LoginStarting:
		return s, credential.ErrNotFound // nobody has been told of it
	case s.Method != credential.MethodCode:
		return s, &MethodError{Key: s.Key, Asked: credential.MethodCode, Live: s.Method, ID: s.ID}
	case !s.Live():
		return s, &EndedError{s.Status()}
	}
	// Before anything is changed: what is missing here may be there later.
	client, err := r.client(ctx, s.Login)
	if err != nil {
		return s, err
	}
	e := r.watch(s.Login)
	defer e.unwatch()
	if s.Status() == credential.LoginExchanging {
		// Another process does, as far as is known here; it may have taken that back.
		if fresh, err := r.store.GetLogin(ctx, id); err == nil {
			r.catchUp(e, fresh)
		}
	}
	accepted, err := r.accept(ctx, e, a)
	if err == nil && !accepted.code.IsZero() {
		err = r.exchange(e, client, accepted)
	}
	return e.snapshot(), err
}

// accepted is a valid answer, with what its code can be exchanged with; without
// a code, it was an error and has ended the login.
type accepted struct {
	code  secret.String
	grant credential.CodeGrant
}

// accept judges the answer. If it is valid, the login leaves its state for it,
// and durably so: from then on it is never sent again, by nobody.
func (r *Registry) accept(ctx context.Context, e *entry, a Answer) (accepted, error) {
	owner, err := r.ownerID(ctx)
	if err != nil {
		return accepted{}, err
	}
	var got accepted
	var refusal error
	mine := false
	change := func(l *credential.Login) bool {
		refusal = nil
		awaiting, ok := l.State.(credential.AwaitingCode)
		switch {
		case !ok:
			// Our own write may have been made though it was reported as failed.
			if mine = !got.code.IsZero() && l.Status() == credential.LoginExchanging && l.Owner == owner; !mine {
				refusal = tooLate(*l)
			}
			return false
		case l.Superseded:
			l.State = cancelled("") // a logout overtook it
			refusal = tooLate(*l)
			return true
		case !time.Now().Before(l.ExpiresAt):
			l.State = codeExpired()
			refusal = tooLate(*l)
			return true
		}
		got.code, refusal = a.check(*l, awaiting.Code)
		switch {
		case refusal == nil:
			got.grant = awaiting.Code
			// Whoever brings the answer goes on with it, also if the process
			// that waits for it is another one.
			l.State, l.Owner = credential.Exchanging{Prompt: awaiting.Code.Prompt()}, owner
			return true
		case oauth.CodeOf(refusal) != "":
			l.State, refusal = answeredEnd(oauth.CodeOf(refusal), false), nil
			return true
		}
		return false
	}
	won, err := r.transition(ctx, e, change)
	if err != nil {
		won, err = r.transition(ctx, e, change)
	}
	switch {
	case err != nil:
		return accepted{}, err
	case refusal != nil:
		return accepted{}, refusal
	case !won && !mine:
		return accepted{}, tooLate(e.login()) // it ended here, and the store has yet to be told
	}
	return got, nil
}

// tooLate is the error for an answer to l, which waits for none any more.
func tooLate(l credential.Login) error {
	if l.Live() {
		return ErrCompleting
	}
	return &EndedError{l.Status()}
}

// check returns the code of a if it is an answer to g, the request of l. An
// error that is one, too, is an [oauth.Error] with a code.
func (a Answer) check(l credential.Login, g credential.CodeGrant) (secret.String, error) {
	q, err := a.parameters(g.RedirectURI)
	if err != nil {
		return secret.String{}, err
	}
	return oauth.CheckAuthResponse(q, l.Binding.Endpoints, g.State.Reveal())
}

// answeredEnd is the end of a login that the provider answered with an OAuth
// error code. unsure tells that an earlier answer may have been lost.
func answeredEnd(code string, unsure bool) credential.Ended {
	v := decide(&oauth.Error{Outcome: oauth.Answered, Kind: oauth.KindOAuth, Code: code}, unsure)
	if v.step != stepEnd { // what asks a device to poll on means nothing here
		v = refused(credential.LoginFailed, api.CodeProviderRefused, "the provider refused the login with "+code)
	}
	return ended(v.status, v.failure)
}
