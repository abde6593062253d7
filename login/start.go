package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/failpoint"
	"github.com/usherauth/usher/internal/uuid"
	"github.com/usherauth/usher/oauth"
)

// Request asks for a login.
type Request struct {
	Key credential.Key
	// Binding holds the provider's facts; it stays as it is for the life of
	// the login and of its credential. Where finding them out may take a
	// request to the provider, Resolve does it: only the process that owns the
	// new login calls it, once, and nobody who joins one.
	Binding credential.Binding
	Resolve func(ctx context.Context) (credential.Binding, error)
	Scopes  []string
	// ShareWith names the tool that the credential is to be shared with, one of
	// [share.Tools]; empty for none. It is the caller's who starts the login, not
	// that of one who joins it.
	ShareWith string
	// Method is how to log in. Empty means device where the provider has it,
	// else code; and that a live login of either is joined.
	Method credential.Method
	// RedirectURI is where a login that comes to be of method code has the browser
	// sent, one that [CheckRedirectURI] found good; empty means [DefaultRedirectURI].
	RedirectURI string
	// PollInterval slows polling down; the provider's interval wins when longer.
	PollInterval time.Duration
	// Initiator is the client id that asks; empty if anonymous.
	Initiator string
	// Origin says who asks, as user@host, for the person who approves.
	Origin string
	// Trace is the trace id of the login in the audit log, 32 hex digits;
	// empty makes one of the login's id.
	Trace string
	// Extra are further parameters of the authorization request, by either method.
	Extra url.Values
}

// start is a start in flight, which later callers for the same key share.
type start struct {
	id     string // of the login that it makes; guarded by Registry.mu
	done   chan struct{}
	login  credential.Login
	joined bool
	err    error
}

// Start starts a login, or joins the one that is live for the key already;
// joined tells which. A start is never cut off by the caller that asked for
// it, since others may have joined it: when ctx ends, the call returns and the
// start goes on. Errors of the provider are [oauth.Error]s, and then nothing
// remains; [credential.ErrTooManyLogins] means the cap is reached, and a
// [MethodError] that the method is not to be had.
func (r *Registry) Start(ctx context.Context, req Request) (s Snapshot, joined bool, err error) {
	r.mu.Lock()
	if r.stopped {
		r.mu.Unlock()
		return Snapshot{}, false, ErrClosed
	}
	f, shared := r.starting[req.Key]
	if !shared {
		f = &start{done: make(chan struct{})}
		r.starting[req.Key] = f
		r.work.Go(func() {
			f.login, f.joined, f.err = r.startOrJoin(context.WithoutCancel(r.ctx), f, req)
			r.mu.Lock()
			delete(r.starting, req.Key)
			r.mu.Unlock()
			close(f.done)
		})
	}
	r.mu.Unlock()

	select {
	case <-f.done:
	case <-ctx.Done():
		return Snapshot{}, false, ctx.Err()
	}
	if f.err != nil {
		return Snapshot{}, false, f.err
	}
	joined = shared || f.joined
	if err := req.joinable(f.login); joined && err != nil {
		return Snapshot{}, false, err
	}
	s = Snapshot{Login: f.login}
	if e := r.entry(f.login.ID); e != nil {
		s = e.snapshot()
		if joined && e.takenBy(req.Initiator) {
			r.tell(Event{Type: Joined, Login: s.Login, By: req.Initiator})
		}
	}
	return s, joined, nil
}

// startOrJoin starts a login, or joins the live one; a live one that turns out
// to be over is not joined, and one that nobody looks after does not count for
// the cap, hence the few tries.
func (r *Registry) startOrJoin(ctx context.Context, f *start, req Request) (credential.Login, bool, error) {
	retired := false
	for range 5 {
		owner, err := r.ownerID(ctx)
		if err != nil {
			return credential.Login{}, false, err
		}
		now := time.Now()
		id := uuid.New()
		r.mu.Lock()
		f.id = id
		r.mu.Unlock()
		l, err := r.store.CreateLogin(ctx, credential.Login{
			ID: id, Trace: cmp.Or(req.Trace, traceOf(id)), Key: req.Key, Method: req.startingMethod(), State: credential.Starting{},
			Binding: req.Binding, Scopes: req.Scopes, ShareWith: req.ShareWith, Initiator: req.Initiator, Origin: req.Origin,
			Owner: owner, CreatedAt: now.UTC().Round(0), ExpiresAt: now.Add(startTimeout).UTC().Round(0),
		}, r.cfg.MaxActive)
		switch {
		case err == nil:
			l, err = r.begin(ctx, l, req)
			return l, false, err
		case errors.Is(err, credential.ErrTooManyLogins) && !retired:
			r.retire(ctx)
			retired = true
			continue
		case !errors.Is(err, credential.ErrLoginExists):
			return credential.Login{}, false, err
		}
		if l, live, err := r.join(ctx, l); err != nil || live {
			return l, true, err
		}
	}
	return credential.Login{}, false, fmt.Errorf("starting login of %s: %w", req.Key, credential.ErrConflict)
}

// begin makes the authorization request of the stored login l, makes it pending
// and arms its first wake-up: a device login's first poll, one interval from
// now, or else the end of waiting.
func (r *Registry) begin(ctx context.Context, l credential.Login, req Request) (credential.Login, error) {
	e := r.watch(l)
	defer e.unwatch()
	e.mu.Lock()
	e.owned = true
	e.mu.Unlock()

	got, err := r.authorize(l, req)
	if err != nil {
		r.abandon(ctx, e)
		return credential.Login{}, err
	}

	now := time.Now()
	deadline := now.Add(got.life)
	won, err := r.transition(ctx, e, func(l *credential.Login) bool {
		if l.Status() != credential.LoginStarting {
			return false // a logout was faster
		}
		l.Binding, l.Method, l.State, l.Interval = got.binding, got.method, got.state, got.interval
		l.ExpiresAt = deadline.UTC().Round(0)
		return true
	})
	if err != nil {
		r.abandon(ctx, e)
		return credential.Login{}, err
	}
	if won {
		e.mu.Lock()
		e.deadline = deadline.Sub(r.began) // by the monotonic clock, which no one can set
		e.mu.Unlock()
		r.arm(e, 0)
		failpoint.Hit("login.started")
	}
	return e.login(), nil
}

// authorization is what a start has led to.
type authorization struct {
	binding  credential.Binding
	method   credential.Method
	state    credential.LoginState
	interval time.Duration // of method device
	life     time.Duration
}

// authorize finds out what l is bound to, and makes the authorization request
// there that the method asks for.
func (r *Registry) authorize(l credential.Login, req Request) (got authorization, err error) {
	ctx, cancel := context.WithTimeout(r.ctx, startTimeout)
	defer cancel()
	defer func() {
		if err != nil && r.ctx.Err() != nil {
			err = ErrClosed // cut off by Close
		}
	}()
	if req.Resolve != nil {
		if l.Binding, err = req.Resolve(ctx); err != nil {
			return got, err
		}
	}
	got.binding = l.Binding
	if got.method, err = r.method(req, l.Binding); err != nil {
		return got, err
	}
	if got.method == credential.MethodCode {
		got.life = codeLifetime
		got.state, err = authorizeCode(l, req)
		return got, err
	}
	auth, err := r.authorizeDevice(ctx, l, req)
	if err != nil {
		return got, err
	}
	got.interval, got.life = max(auth.Interval, req.PollInterval), auth.ExpiresIn
	got.state = credential.Pending{Device: credential.DeviceGrant{
		DeviceCode: auth.DeviceCode, CodeVerifier: auth.CodeVerifier,
		Prompt: credential.Prompt{
			UserCode: auth.UserCode, VerificationURI: auth.VerificationURI,
			VerificationURIComplete: auth.VerificationURIComplete,
		},
	}}
	return got, nil
}

// authorizeDevice asks for a device authorization for l.
func (r *Registry) authorizeDevice(ctx context.Context, l credential.Login, req Request) (*oauth.DeviceAuthorization, error) {
	p, err := r.provider(ctx, l)
	if err != nil {
		return nil, err
	}
	return call(ctx, startTimeout, func(ctx context.Context) (*oauth.DeviceAuthorization, error) {
		return p.Start(ctx, oauth.DeviceRequest{Scopes: l.Scopes, Extra: req.Extra})
	}, func(*oauth.DeviceAuthorization, error) {}) // nobody was shown a late one
}

// abandon ends a login that did not start. Its id was never given to anyone,
// so nothing need remain.
func (r *Registry) abandon(ctx context.Context, e *entry) {
	if !r.finish(e, failed(credential.Failure{Code: "start_failed"})) {
		return // the entry stays until the store can be told
	}
	id := e.login().ID
	if err := r.store.DeleteLogin(ctx, id); err != nil {
		r.cfg.Log.Debug("deleting login that did not start", "login", id, "error", err)
		return
	}
	r.mu.Lock()
	delete(r.entries, id)
	r.changes.Add(1)
	r.mu.Unlock()
}

// joinPoll is how often a joiner looks whether another process's start is
// through; it is short because somebody waits for the link.
const joinPoll = 100 * time.Millisecond

// join waits until l, a live login, has a code to show, taking it over if its
// owner is dead. live is false when l is over after all.
func (r *Registry) join(ctx context.Context, l credential.Login) (_ credential.Login, live bool, err error) {
	e := r.watch(l)
	defer e.unwatch()
	r.catchUp(e, l)
	r.lookAfter(ctx, e)
	deadline := time.Now().Add(startTimeout + 5*time.Second)
	tick := time.NewTicker(joinPoll)
	defer tick.Stop()
	for {
		switch {
		case !l.Live():
			return l, false, nil
		case time.Now().After(deadline):
			return l, false, fmt.Errorf("joining login of %s: another process has been starting it for too long: %w", l.Key, credential.ErrConflict)
		case l.Status() != credential.LoginStarting:
			r.catchUp(e, l)
			r.lookAfter(ctx, e)
			// Not so while something else is at work on the entry.
			if l = e.login(); l.Status() != credential.LoginStarting {
				return l, l.Live(), nil
			}
		}
		select {
		case <-tick.C:
		case <-r.stop:
			return l, false, ErrClosed
		}
		if l, err = r.store.GetLogin(ctx, l.ID); errors.Is(err, credential.ErrNotFound) {
			return l, false, nil
		} else if err != nil {
			return l, false, err
		}
	}
}
