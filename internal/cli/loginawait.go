package cli

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/secret"
)

// A loginView shows a login to whoever waits for it: a person (loginshow.go) or
// a program (loginjson.go). Its methods are called one at a time.
type loginView interface {
	// begin shows the login that has been started or joined.
	begin(l api.Login)
	// update shows the login as it is now. It is called about once a second.
	update(l api.Login)
	// end takes away what is of no use any more. l has ended, or nobody waits
	// for it any longer.
	end(l api.Login)
	// input is what the person does; nil if there is no person.
	input() <-chan loginInput
}

// loginInput is what a person at the terminal does while a login is pending.
type loginInput struct {
	// cancel asks to give up, as Ctrl-C does.
	cancel bool
	// answer is the address that the browser was sent to, pasted.
	answer secret.String
	// refused tells why that answer did not do. The login is still pending then.
	refused func(error)
}

// await waits for the end of a login, and shows how it goes. It returns an
// error when the login is still pending, or was when waiting ended.
func (a *app) await(ctx context.Context, s *session, login api.Login, back *answerListener, view loginView, o loginOptions) (api.Login, error) {
	view.begin(login)
	if login.Ended() {
		view.end(login)
		return login, nil
	}
	bound := waitBound(login, o)
	waiting, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	answered := back.serve(waiting, s, login)
	stop := showFollowing(waiting, s, login, view)
	ended, left, err := heed(waiting, s, login, view.input())
	stop()
	answered()
	switch {
	case err == nil:
	case ctx.Err() != nil, left:
		ended, err = a.giveUp(s, login)
	case errors.Is(waiting.Err(), context.DeadlineExceeded):
		ended, err = login, stillPending(login, bound).
			WithHint("run the same command again to go on: usher login %s", login.Key)
	default:
		ended = login
	}
	view.end(ended)
	return ended, err
}

// waitBound is how long to wait for the end of a login: as long as was asked for,
// or else until it must have ended by itself. The process that asks the provider
// may hang, and nobody takes over from one that is alive.
func waitBound(l api.Login, o loginOptions) time.Duration {
	if o.timeout > 0 {
		return o.timeout
	}
	return max(0, seconds(time.Until(l.ExpiresAt))) + settleBound
}

// stillPending is the error for a login that was waited for in vain.
func stillPending(l api.Login, waited time.Duration) *api.Error {
	return api.Errorf(api.CodeLoginPending, "the login for %s is still pending after %s", l.Key, waited).
		WithHint("see how it stands: usher login list")
}

// heed waits for the end of a login, and does meanwhile what the person asks for;
// left reports that they gave it up.
func heed(ctx context.Context, s service, l api.Login, inputs <-chan loginInput) (ended api.Login, left bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var gaveUp atomic.Bool
	var heeding sync.WaitGroup
	heeding.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case in := <-inputs:
				if in.cancel {
					gaveUp.Store(true)
					cancel()
					return
				}
				heeding.Go(func() { // one that takes its time must not keep from cancelling
					_, err := s.CompleteLogin(ctx, l.ID, api.CompleteLogin{RedirectedURL: in.answer.Reveal()})
					if err != nil && ctx.Err() == nil {
						in.refused(err)
					}
				})
			}
		}
	})
	ended, err = s.WaitLogin(ctx, l.ID)
	cancel()
	heeding.Wait()
	return ended, gaveUp.Load(), err
}

// loginReader reads a login.
type loginReader interface {
	GetLogin(ctx context.Context, id string) (api.Login, error)
}

// showFollowing shows until stop is called how the login goes.
func showFollowing(ctx context.Context, s loginReader, l api.Login, view loginView) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			view.update(l)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			// Whoever waits for the login reports what is wrong.
			if now, err := s.GetLogin(ctx, l.ID); err == nil && !now.Ended() {
				l = now
			}
		}
	})
	return func() {
		cancel()
		following.Wait()
	}
}

// giveUp is what an interrupt does: it cancels the login if it was started
// here, and leaves it to the others otherwise. A login that had ended by then,
// or whose token was being stored, ends as it does.
func (a *app) giveUp(s *session, login api.Login) (api.Login, error) {
	if login.Attached {
		return login, api.Errorf(api.CodeInterrupted, "left; the login for %s stays pending", login.Key)
	}
	ended, err := cancelLogin(context.Background(), s, login.ID)
	switch {
	case err != nil:
		return login, api.Errorf(api.CodeInterrupted, "interrupted, and the login for %s could not be cancelled: %w", login.Key, err)
	case ended.Status == api.LoginCancelled:
		return ended, api.Errorf(api.CodeInterrupted, "the login for %s is cancelled", login.Key)
	}
	return ended, nil
}
