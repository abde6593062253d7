package login

import (
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
)

// How long a provider may take to notice that its context has ended, and still
// be heard: what it has by then, a token perhaps, is not thrown away. The times
// of this package's limits include it.
const (
	noticeTimeout = time.Second
	noticeClose   = 100 * time.Millisecond // somebody waits for Close
)

// call runs do, which asks a provider, for at most limit, and gives it up soon
// after its context has ended, whether or not it honours that: an in-process
// provider may do neither that nor return. What it returns after that goes to
// late, on do's goroutine.
func call[T any](ctx context.Context, limit time.Duration, do func(context.Context) (T, error), late func(T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit-noticeTimeout)
	defer cancel()
	type result struct {
		value T
		err   error
	}
	results, givenUp := make(chan result), make(chan struct{})
	go func() {
		value, err := do(ctx)
		select {
		case results <- result{value, err}:
		case <-givenUp:
			late(value, err)
		}
	}()
	select {
	case r := <-results:
		return r.value, r.err
	case <-ctx.Done():
	}
	notice := noticeTimeout
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		notice = noticeClose
	}
	select {
	case r := <-results:
		return r.value, r.err
	case <-time.After(notice):
		close(givenUp)
		var none T
		return none, timedOut(ctx.Err())
	}
}

// timedOut is what a provider's answer that did not come counts as: it may
// have been a token.
func timedOut(err error) *oauth.Error {
	return &oauth.Error{Outcome: oauth.Ambiguous, Kind: oauth.KindTimeout, Err: err}
}

// poll asks the provider once.
func (r *Registry) poll(e *entry, l credential.Login, g credential.DeviceGrant) (*oauth.Token, error) {
	if !e.beginCall() {
		// The last one still has not returned: there is one call at a time.
		return nil, timedOut(context.DeadlineExceeded)
	}
	p, err := r.provider(r.ctx, l)
	if err != nil {
		e.endCall()
		return nil, err
	}
	return call(r.ctx, pollTimeout, func(ctx context.Context) (*oauth.Token, error) {
		defer e.endCall()
		return p.Poll(ctx, g)
	}, func(token *oauth.Token, err error) { r.latePoll(l, token, err) })
}

// latePoll is told what a poll brought that had been given up. It changes
// nothing any more. A token that came with it is given back: the login goes
// on, and may have ended.
func (r *Registry) latePoll(l credential.Login, token *oauth.Token, err error) {
	if err == nil {
		r.lose(l, r.credential(l, token), hintLatePoll+"a token")
	} else if code := oauth.CodeOf(err); code != "" && code != oauth.ErrorAuthorizationPending {
		r.tell(Event{Type: LateAnswer, Login: l, By: l.Initiator, Hint: hintLatePoll + code})
	}
}

// beginCall claims the one call of e's provider; endCall gives it back.
func (e *entry) beginCall() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	free := !e.calling
	e.calling = true
	return free
}

func (e *entry) endCall() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calling = false
}
