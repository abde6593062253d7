package token

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/share"
)

// Renewer makes exactly one attempt to renew c and never retries by itself;
// the manager does, by the outcome of the *oauth.Error that it returns. An
// error of another type counts as ambiguous and is not retried. It is called
// with the rotation lock held.
type Renewer func(ctx context.Context, c credential.Credential) (*oauth.Token, error)

// Config is what [NewManager] needs. Only Store is required. Its functions are
// called by several goroutines at a time.
type Config struct {
	// Store keeps the credentials.
	Store credential.Store
	// HTTP carries the requests; nil means [oauth.NewHTTPClient].
	HTTP *http.Client
	// ClientSecret supplies the client secret for c's binding; nil means that
	// all clients are public. [ErrProviderChanged] says that the configuration
	// is no longer about that client; any other error is passed on to the
	// reader and the credential stays as it is. It is called before each
	// refresh, with the rotation lock held.
	ClientSecret func(ctx context.Context, c credential.Credential) (secret.String, error)
	// Renewers renew credentials by kind, without need of a refresh token.
	// [credential.Refreshable] is built in and may be replaced.
	Renewers map[credential.Kind]Renewer
	// KeepAlive is how long a refresh token of c lives unused, as far as that
	// is known of the provider; 0 or nil for unknown. See [Manager.Tend].
	KeepAlive func(c credential.Credential) time.Duration
	// Share opens the file of a tool that a credential is shared with; nil
	// means that of this process's environment.
	Share func(tool string) (*share.File, error)
	// Clock judges validity; nil means [SystemClock].
	Clock Clock
	// Observe, unless nil, is told what rotations did, after it is durable and
	// before the readers who waited go on. It is called outside all locks, by
	// several goroutines, and must return quickly.
	Observe func(Event)
	// Log gets what a person should know; nil discards. No secret is logged.
	Log *slog.Logger
}

// Manager hands out and renews the tokens of one store. It is safe for
// concurrent use. Several managers, in one process or in many, may share a
// store.
type Manager struct {
	cfg   Config
	clock Clock
	wall  func() int64 // wall time of clock, nanoseconds since 1970
	log   *slog.Logger

	// entries are the keys in memory. The map is replaced, never written, so
	// that readers need no lock.
	entries atomic.Pointer[map[credential.Key]*entry]

	// closing ends waiting for locks and the tick; abandoned ends trying to
	// store.
	closing   context.Context
	close     context.CancelFunc
	abandoned context.Context
	abandon   context.CancelFunc

	started    time.Time
	seed       maphash.Seed // of the jitter
	background throttle     // of the rotations that Tend starts

	mu      sync.Mutex // guards what follows and replacing entries
	closed  bool
	ticking bool
	reads   map[credential.Key]time.Time // key -> when it was last read, about
	running sync.WaitGroup               // rotations and the tick; added to only while not closed
}

// NewManager returns a manager. It starts nothing; the first read does.
func NewManager(cfg Config) *Manager {
	m := &Manager{
		cfg: cfg, clock: cfg.Clock, log: cfg.Log,
		started: time.Now(), seed: maphash.MakeSeed(), reads: map[credential.Key]time.Time{},
	}
	if m.clock == nil {
		m.clock = SystemClock()
	}
	if m.cfg.Share == nil {
		m.cfg.Share = func(tool string) (*share.File, error) { return share.Open(tool, os.Getenv) }
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.wall = wallOf(m.clock)
	m.entries.Store(&map[credential.Key]*entry{})
	m.closing, m.close = context.WithCancel(context.Background())
	m.abandoned, m.abandon = context.WithCancel(context.Background())
	return m
}

// Forget drops what memory holds of key, for a login or logout that this
// process has just stored.
func (m *Manager) Forget(key credential.Key) {
	if e := (*m.entries.Load())[key]; e != nil {
		e.forget()
	}
}

// Close stops the manager. It waits for rotations until their tokens are stored
// or ctx ends, and then gives up storing; those that wait for another process's
// lock end without one. Its error is that of ctx, and then tokens may have been
// lost. Reads after it answer [ErrClosed].
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	m.entries.Store(&map[credential.Key]*entry{})
	m.mu.Unlock()
	m.close()
	defer m.abandon()

	done := make(chan struct{})
	go func() {
		m.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for rotations in flight: %w", ctx.Err())
	}
}

// begin registers a goroutine that Close waits for; false once closed.
func (m *Manager) begin() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.running.Add(1)
	return true
}

// decide judges c now for a reader who asks for minTTL.
func (m *Manager) decide(c credential.Credential, minTTL time.Duration) decision {
	return decide(c, m.clock.Now(), minTTL, m.cfg.Renewers[c.Kind] != nil)
}

// client is the protocol client that c was made with.
func (m *Manager) client(ctx context.Context, c credential.Credential) (*oauth.Client, error) {
	var clientSecret secret.String
	if m.cfg.ClientSecret != nil {
		var err error
		if clientSecret, err = m.cfg.ClientSecret(ctx, c); err != nil {
			return nil, fmt.Errorf("client secret: %w", err)
		}
	}
	return c.Binding.Client(m.cfg.HTTP, clientSecret), nil
}

// refreshWith is the built-in renewer (RFC 6749 section 6). The scope is left
// out, which asks for what was granted.
func refreshWith(client *oauth.Client) Renewer {
	return func(ctx context.Context, c credential.Credential) (*oauth.Token, error) {
		return client.Refresh(ctx, oauth.RefreshRequest{
			RefreshToken: c.RefreshToken,
			Resource:     c.Binding.Resource,
		})
	}
}

// sleep waits for d, or for a second at a time once the manager is closing. It
// is false when Close has given up.
func (m *Manager) sleep(d time.Duration) bool {
	if m.abandoned.Err() != nil {
		return false
	}
	closing := m.closing.Done()
	if m.closing.Err() != nil {
		closing, d = nil, min(d, time.Second)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-closing:
	case <-m.abandoned.Done():
		return false
	}
	return true
}
