package usher

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/sse"
)

const (
	// expiryGrace is how long after the code's end a daemon that is away may
	// still come back and tell how the login ended.
	expiryGrace = time.Minute
	// streamPatience is how long the events may take to show up before a wait
	// does without them: there are proxies that hold a stream back until it
	// ends.
	streamPatience = 5 * time.Second
	// lookAgain is how long a wait believes in silence before it asks.
	lookAgain = 5 * time.Minute
)

// Wait waits for the person and returns the credential that the login stored.
// A login that ended otherwise is an error with the code of its end, which
// matches [ErrAccessDenied], [ErrExpired] or [ErrCancelled]; one that is pending
// when ctx ends matches [ErrLoginPending] and goes on without us; one that the
// daemon does not know any more matches [ErrLoginNotFound]. Wait survives lost
// connections and restarts of the daemon until ctx ends or the code has long
// expired.
//
// Any number of goroutines may wait. They share one connection to the daemon
// and one result, which is kept: once the login has ended, Wait answers at
// once. The context of each ends its own waiting only.
//
// It follows the daemon's events, and polls where they cannot be had.
func (l *Login) Wait(ctx context.Context) (Credential, error) {
	p := l.shared.join(l.poll)
	defer l.shared.leave()
	select {
	case <-p.done:
		return p.credential, p.err
	default:
	}
	select {
	case <-p.done:
		return p.credential, p.err
	case <-ctx.Done():
		return Credential{}, pendingError(ctx, "GET /v1/logins/{id}")
	}
}

// A waiting is what all who wait for one login share.
type waiting struct {
	mu      sync.Mutex
	waiters int
	current *poller // nil while nobody waits and nothing is known
}

// A poller finds out how a login ends. Its results stand when done is closed.
type poller struct {
	cancel     context.CancelFunc
	done       chan struct{}
	credential Credential
	err        error
	final      bool // asking again would tell nothing else
}

// join returns the poller, which is started if there is none.
func (w *waiting) join(poll func(context.Context, *poller)) *poller {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiters++
	if w.current == nil {
		ctx, cancel := context.WithCancel(context.Background())
		p := &poller{cancel: cancel, done: make(chan struct{})}
		w.current = p
		go func() {
			defer close(p.done)
			defer cancel()
			poll(ctx, p)
			w.ended(p)
		}()
	}
	return w.current
}

// ended forgets a poller without a final result, so that the next to wait tries
// again.
func (w *waiting) ended(p *poller) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current == p && !p.final {
		w.current = nil
	}
}

// leave stops the poller with the last who waits.
func (w *waiting) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiters--
	if w.waiters == 0 && w.current != nil && !isDone(w.current.done) {
		w.current.cancel()
		w.current = nil
	}
}

// poll asks until p has a result, or ctx ends.
func (l *Login) poll(ctx context.Context, p *poller) {
	var b backoff
	ask := l.follow
	for {
		began := time.Now()
		state, err := ask(ctx)
		if time.Since(began) > maxPause {
			b = backoff{}
		}
		switch {
		case err == nil:
			p.credential, p.err = outcome(state)
			p.final = true
			return
		case ctx.Err() != nil:
			return // nobody waits
		case errors.Is(err, errNoStream):
			ask = l.ask
		case errors.Is(err, errQuiet):
		case !transient(err), !l.ExpiresAt.IsZero() && time.Now().After(l.ExpiresAt.Add(expiryGrace)):
			p.err = err
			p.final = errors.Is(err, ErrLoginNotFound)
			return
		case !b.wait(ctx):
			return
		}
	}
}

// ask polls the daemon, which holds each answer back for a while.
func (l *Login) ask(ctx context.Context) (LoginState, error) {
	return l.client.WaitLogin(ctx, l.ID)
}

var (
	// errNoStream: the events cannot be had, which says nothing about the login.
	errNoStream = errors.New("no event stream")
	// errQuiet: nothing was told for so long that it is time to ask.
	errQuiet = errors.New("no event for a long time")
)

// follow returns the login when the events tell its end. It asks for the login
// itself when the stream has been opened, and when it tells that something is
// missing, so that nothing falls in between.
func (l *Login) follow(ctx context.Context) (LoginState, error) {
	bounded, cancel := context.WithTimeout(ctx, lookAgain)
	defer cancel()
	var (
		state  LoginState
		failed error // of asking for the login
		opened bool
		began  = time.Now()
	)
	look := func() error {
		state, failed = l.client.GetLogin(bounded, l.ID)
		if failed == nil && state.Ended() {
			return errStopped
		}
		return failed
	}
	s := eventStream("")
	s.patience = streamPatience
	s.opened = func(http.Header) error {
		opened = true
		return look()
	}
	s.event = func(frame sse.Event) error {
		e, err := decodeEvent(frame)
		switch {
		case err != nil:
			return errNoStream
		case e.Type == api.EventStreamResync, e.Login != nil && e.Login.ID == l.ID && e.Login.Ended():
			return look()
		}
		return nil
	}
	err := l.client.read(bounded, s)
	var answered *Error
	switch {
	case errors.Is(err, errStopped):
		return state, nil
	case bounded.Err() != nil:
		return state, errQuiet
	case failed != nil:
		return state, failed
	case errors.Is(err, errNoStream), errors.Is(err, errSilent),
		errors.As(err, &answered) && answered.Status != 0, // refused, or not a stream
		opened && time.Since(began) < maxPause:            // cut off by what allows no streams
		return state, errNoStream
	default:
		return state, err
	}
}

func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
