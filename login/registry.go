package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/share"
)

// Times of the registry.
const (
	// Grace is how long an ended login stays readable.
	Grace = 5 * time.Minute
	// DefaultMaxActive is the default cap of live logins.
	DefaultMaxActive = 4

	startTimeout   = 30 * time.Second
	pollTimeout    = 30 * time.Second
	persistTimeout = 30 * time.Second
	revokeTimeout  = 10 * time.Second
	settledTimeout = 10 * time.Second
	// watchPeriod is how often the store is looked at for what other
	// processes did: their changes are seen within it.
	watchPeriod = time.Second
	sweepPeriod = 30 * time.Second
)

var noSecret secret.String

// Config is what a [Registry] needs.
type Config struct {
	// Store keeps the logins and takes the credentials.
	Store credential.Store
	// HTTP makes the requests to providers; nil means oauth's hardened client.
	HTTP *http.Client
	// ClientSecret returns the client secret that configuration holds for a
	// binding; nil if there never is one.
	ClientSecret func(ctx context.Context, key credential.Key, b credential.Binding) (secret.String, error)
	// Providers are in-process providers by provider name; others speak OAuth
	// to the endpoints of the login's binding.
	Providers map[string]Provider
	// MaxActive caps the live logins of the store; 0 means [DefaultMaxActive].
	MaxActive int
	// Adopt makes the registry watch every login of the store, report what
	// other processes do with them, and take over those whose owner died.
	// Without it only logins that were started, joined or waited for here are
	// looked after.
	Adopt bool
	// AfterCrash is for a registry that adopts where the one before it was
	// killed: the starts, and the ends within the [Grace], that it finds may not
	// have been told, and are told as its own, if need be for the second time.
	AfterCrash bool
	// Observe is told of every transition, in order per login. It must return
	// quickly and not call the registry; nil means nobody listens.
	Observe func(Event)
	// Settled is told of the credential of a login, or of an import, when it is
	// stored and before the end of the login is told, so that what it does is
	// done when anybody hears of it. It has 10 seconds; what it could not do
	// by then does not keep the login from its end. nil means nothing is to do.
	// It may not call the registry.
	Settled func(context.Context, credential.Credential)
	// Share opens the file of a tool that a credential is to be shared with; nil
	// means that of this process's environment.
	Share func(tool string) (*share.File, error)
	// Received tells when a token arrived, on both clocks; nil means the wall
	// clock alone.
	Received func() credential.Instant
	// AliasKey returns the key of the hash behind
	// [credential.Credential.Alias]; nil makes no aliases.
	AliasKey func() (secret.String, error)
	// Log gets what a developer may want to know; nil means nothing is logged.
	Log *slog.Logger
}

// Registry runs the logins of one store in this process. Its methods are safe
// for concurrent use.
type Registry struct {
	cfg   Config
	store credential.Store
	began time.Time

	ctx    context.Context // ends polls and starts when Close gives up waiting
	cancel context.CancelFunc
	work   sync.WaitGroup // starts, polls, settles and the watcher

	owning chan struct{} // holds a value while the owner is made, which takes a store call

	mu         sync.Mutex
	owner      credential.Owner          // this process's owner, made when first needed
	entries    map[string]*entry         // login id -> what this process knows of it
	starting   map[credential.Key]*start // starts in flight, for others to share
	completing map[string]chan struct{}  // login id -> closed when its completion in flight is over
	again      map[string]bool           // ids of the logins that the next look reads, changed or not
	watching   bool
	unlooked   error         // why the newest look could not read the store; nil if it did
	stop       chan struct{} // closed by Close: ends the watcher
	stopped    bool

	changes  atomic.Uint64
	schedule *schedule
	looked   chan struct{} // closed when the watcher has looked at the store once

	// Of the watcher alone.
	cursor     string // what has been read of the store's changes
	unreadable bool   // some of it could not be, so all is to be read again
	lastSweep  time.Time
}

// New makes a registry. With [Config.Adopt] it begins to watch the store at once.
func New(cfg Config) *Registry {
	if cfg.MaxActive == 0 {
		cfg.MaxActive = DefaultMaxActive
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Event) {}
	}
	if cfg.Settled == nil {
		cfg.Settled = func(context.Context, credential.Credential) {}
	}
	if cfg.Share == nil {
		cfg.Share = func(tool string) (*share.File, error) { return share.Open(tool, os.Getenv) }
	}
	if cfg.Received == nil {
		cfg.Received = func() credential.Instant { return credential.Instant{Wall: time.Now().Round(0)} }
	}
	r := &Registry{
		cfg: cfg, store: arbitrated(bounded{cfg.Store}), began: time.Now(),
		owning:     make(chan struct{}, 1),
		entries:    map[string]*entry{},
		starting:   map[credential.Key]*start{},
		completing: map[string]chan struct{}{},
		again:      map[string]bool{},
		stop:       make(chan struct{}),
		looked:     make(chan struct{}),
	}
	r.schedule = newSchedule(r.began, r.wake)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	if cfg.Adopt {
		r.mu.Lock()
		r.watchLocked()
		r.mu.Unlock()
	}
	return r
}

// ErrClosed is returned by calls on a registry that was closed.
var ErrClosed = errors.New("login registry is closed")

// Close stops polling, waits until answers in flight are settled, and gives up
// ownership: pending logins stay pending in the store, for another process to
// claim. When ctx ends first, polls and starts in flight are cut off, whether or
// not the provider lets itself be; a token that has arrived is stored all the
// same.
func (r *Registry) Close(ctx context.Context) error {
	r.mu.Lock()
	if !r.stopped {
		r.stopped = true
		close(r.stop)
		r.schedule.close()
	}
	owner := r.owner
	r.owner = nil
	r.mu.Unlock()

	done := make(chan struct{})
	go func() { r.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		r.cancel()
		<-done
	}
	r.cancel()
	if owner != nil {
		return owner.Close()
	}
	return nil
}

// Get returns a login by id, or an error that wraps [credential.ErrNotFound].
func (r *Registry) Get(ctx context.Context, id string) (Snapshot, error) {
	if e := r.entry(id); e != nil {
		return e.snapshot(), nil
	}
	l, err := r.store.GetLogin(ctx, id)
	if err != nil {
		return Snapshot{}, err
	}
	return Snapshot{Login: l}, nil
}

// Changes is a number that has grown when a change of the logins, but for how
// polling goes, has been made here or is known here, and before anyone is told of
// it. What List returned after a call of it still holds while it is the same; what
// other processes do, only List itself finds out without [Config.Adopt].
func (r *Registry) Changes() uint64 { return r.changes.Load() }

// List returns every login, oldest first: with [Config.Adopt] from memory, as
// of a second ago where other processes are concerned, and else from the store.
// A login that cannot be read is left out; a store that cannot is an error.
func (r *Registry) List(ctx context.Context) ([]Snapshot, error) {
	var all []Snapshot
	if !r.cfg.Adopt {
		for l, err := range r.store.ListLogins(ctx) {
			if isUnreadable(err) {
				r.cfg.Log.Warn("unreadable login", "error", err)
				continue
			}
			if err != nil {
				return nil, err
			}
			s := Snapshot{Login: l}
			if e := r.entry(l.ID); e != nil {
				if mine := e.snapshot(); mine.Version >= l.Version {
					s = mine
				}
			}
			all = append(all, s)
		}
		return all, ctx.Err()
	}
	select {
	case <-r.looked:
	case <-r.stop:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := r.lookFailure(); err != nil {
		return nil, err
	}
	for _, e := range r.all() {
		all = append(all, e.snapshot())
	}
	slices.SortFunc(all, func(a, b Snapshot) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// Wait returns the login when it has ended. A login of another process is
// watched, and taken over should its owner die. When ctx ends first, Wait
// returns the login as it is together with ctx's error.
func (r *Registry) Wait(ctx context.Context, id string) (Snapshot, error) {
	s, err := r.Get(ctx, id)
	if err != nil || !s.Live() {
		return s, err
	}
	e := r.watch(s.Login)
	defer e.unwatch()
	for {
		s, changed := e.wait()
		if !s.Live() {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, ctx.Err()
		case <-r.stop:
			return s, ErrClosed
		}
	}
}

// ownerID returns the id of this process's owner, making one when needed.
func (r *Registry) ownerID(ctx context.Context) (string, error) {
	select {
	case r.owning <- struct{}{}:
		defer func() { <-r.owning }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if id, err := r.ownerNow(); id != "" || err != nil {
		return id, err
	}
	o, err := r.store.NewOwner(ctx)
	if err != nil {
		return "", fmt.Errorf("registering as owner of logins: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return "", errors.Join(ErrClosed, o.Close())
	}
	r.owner = o
	return o.ID(), nil
}

// ownerNow is the id of this process's owner; empty if there is none yet.
func (r *Registry) ownerNow() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.stopped:
		return "", ErrClosed
	case r.owner == nil:
		return "", nil
	}
	return r.owner.ID(), nil
}

func (r *Registry) closing() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

func (r *Registry) entry(id string) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entries[id]
}

// all returns what this process knows, in no order.
func (r *Registry) all() []*entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.entries))
}

// revoke hands a token back that must not be kept. Best effort: what it could
// not do is in the event's hint.
func (r *Registry) revoke(l credential.Login, c credential.Credential) string {
	if !l.Begun() {
		return "not revoked: it was imported, and whoever had it may use it still"
	}
	if _, inProcess := r.cfg.Providers[l.Key.Provider]; inProcess || l.Binding.Endpoints.Revocation == "" {
		return "not revoked: the provider has no revocation endpoint"
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), revokeTimeout)
	defer cancel()
	client, err := r.client(ctx, l)
	if err != nil {
		return "not revoked: the client secret is not available"
	}
	token, hint := c.RefreshToken, "refresh_token"
	if token.IsZero() {
		token, hint = c.AccessToken, "access_token"
	}
	if err := client.Revoke(ctx, token, hint); err != nil {
		return "revocation failed"
	}
	return "revoked"
}
