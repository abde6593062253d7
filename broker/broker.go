package broker

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/event"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/session"
	"github.com/usherauth/usher/share"
	"github.com/usherauth/usher/token"
)

// Config is what a [Broker] is made of. Store and Providers are required.
type Config struct {
	// Store keeps credentials and logins. The broker does not close it.
	Store credential.Store
	// Providers says where logins happen.
	Providers *provider.Catalogue
	// HTTP makes all requests to providers; nil means oauth's hardened client.
	HTTP *http.Client
	// InProcess are device providers of the embedding Go program, by provider
	// name; see [login.Provider].
	InProcess map[string]login.Provider
	// Daemon makes the broker watch the store: it takes over logins whose
	// owner died and tells what other processes change, within a second.
	Daemon bool
	// OnDemand keeps a daemon from renewing what nobody asks for, and from
	// restoring the files of other tools that share it.
	OnDemand bool
	// AfterCrash tells that the daemon before this one was killed, perhaps
	// before it told of a login's start or end: both are told, and recorded,
	// again.
	AfterCrash bool
	// MaxLogins caps the pending logins; 0 means [login.DefaultMaxActive].
	MaxLogins int
	// Origin names who asks for logins here, as user@host; shown to the person
	// who approves. Empty says nothing.
	Origin string
	// AliasKey returns the key for account labels; nil makes none.
	AliasKey func() (secret.String, error)
	// Audit gets a record of every transition; nil records nothing.
	Audit *audit.Writer
	// Sessions are shown the logins in the words of the compatible surface;
	// nil makes sessions that live as long as the broker.
	Sessions *session.Hub
	// Share opens the file of a tool that a credential is shared with; nil
	// means that of this process's environment.
	Share func(tool string) (*share.File, error)
	// Clock judges the validity of tokens; nil means the system's clocks.
	Clock token.Clock
	// Log gets what a developer may want to know; nil means nothing is logged.
	Log *slog.Logger
}

// Broker is the assembled domain.
type Broker struct {
	cfg      Config
	resolver *provider.Resolver
	logins   *login.Registry
	tokens   *token.Manager
	events   *event.Log

	watching sync.WaitGroup
	stop     context.CancelFunc // ends the watching

	telling sync.Mutex // held while a login is told of, so that all logs have one order

	status  statusCache
	tallies *tallies

	mu    sync.Mutex
	known map[credential.Key]known // what was last told of each credential
}

// New assembles a broker. With [Config.Daemon] it looks what is in the store, and
// begins to watch it.
func New(cfg Config) *Broker {
	if cfg.HTTP == nil {
		cfg.HTTP = oauth.NewHTTPClient()
	}
	if cfg.Clock == nil {
		cfg.Clock = token.SystemClock()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Sessions == nil {
		cfg.Sessions = session.Open(session.Config{})
	}
	b := &Broker{
		cfg:      cfg,
		resolver: &provider.Resolver{HTTP: cfg.HTTP},
		events:   event.New(0),
		tallies:  newTallies(),
		known:    map[credential.Key]known{},
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	b.tokens = token.NewManager(token.Config{
		Store: cfg.Store, HTTP: cfg.HTTP, Clock: cfg.Clock, Observe: b.onToken, Log: cfg.Log, Share: cfg.Share,
		KeepAlive: b.keepAlive,
		ClientSecret: func(ctx context.Context, c credential.Credential) (secret.String, error) {
			return b.clientSecret(ctx, c.Key, c.Binding)
		},
	})
	if cfg.Daemon {
		b.lookAtCredentials(ctx, true) // before anything here can change one
	}
	// Last, as it tells at once what it finds.
	b.logins = login.New(login.Config{
		Store: cfg.Store, HTTP: cfg.HTTP, Providers: cfg.InProcess,
		ClientSecret: b.clientSecret, MaxActive: cfg.MaxLogins, Adopt: cfg.Daemon, AfterCrash: cfg.AfterCrash,
		Observe: b.onLogin, Settled: b.settled, Share: cfg.Share, Received: cfg.Clock.Now, AliasKey: cfg.AliasKey, Log: cfg.Log,
	})
	if cfg.Daemon {
		b.watching.Go(func() { b.watchCredentials(ctx) })
		b.watching.Go(func() { b.sweepOrphans(ctx) })
	}
	return b
}

// Close ends the broker: it takes no new work, and waits until the answers of
// providers that are on their way are stored. When ctx ends first, polls are
// cut off and rotations are given up; see [login.Registry.Close] and
// [token.Manager.Close].
func (b *Broker) Close(ctx context.Context) error {
	b.stop()
	b.watching.Wait()
	// Side by side: neither may use up the time of the other, or take new work
	// while the other is waited for.
	var wg sync.WaitGroup
	var tokens error
	wg.Go(func() { tokens = b.tokens.Close(ctx) })
	logins := b.logins.Close(ctx)
	wg.Wait()
	return errors.Join(logins, tokens)
}

// Events is the log of what happens, for streams and watchers.
func (b *Broker) Events() *event.Log { return b.events }

// clientSecret returns the secret that configuration holds for a binding, only
// while it still names the same client at the same issuer.
func (b *Broker) clientSecret(_ context.Context, key credential.Key, bound credential.Binding) (secret.String, error) {
	if bound.AuthStyle == oauth.AuthNone {
		return secret.String{}, nil
	}
	p, err := b.cfg.Providers.Lookup(key.Provider)
	if err != nil {
		return secret.String{}, token.ErrProviderChanged
	}
	configured := credential.Binding{Endpoints: p.Endpoints, ClientID: p.ClientID}
	if configured.Endpoints.Issuer == "" && configured.Endpoints.Token == "" {
		return secret.String{}, token.ErrProviderChanged
	}
	if !bound.SameClient(configured) {
		return secret.String{}, token.ErrProviderChanged
	}
	sec, err := p.ClientSecret()
	if err != nil {
		return secret.String{}, api.Errorf(api.CodeProviderIncomplete, "%w", err).
			WithHint("check: usher provider show %s", key.Provider)
	}
	return sec, nil
}
