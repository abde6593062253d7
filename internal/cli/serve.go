package cli

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/server"
)

const serveHelp = `Run the daemon: it keeps the logins going and serves tokens to other programs,
over HTTP with a bearer token and over a unix socket to your own processes. The
other commands use it by themselves as long as it runs.

usage: usher serve [flags]

where:
  --listen ADDR         where to listen (default 127.0.0.1:4170; port 0 is any
                        free one)
  --socket PATH         listen on this unix socket too; repeat for more
who may:
  --token-file F        a file with the bearer token that clients must present
  --require-auth        ask for the token on /health too
  --no-auth             ask for no token, on a loopback address only; what would
                        hand out tokens is refused then
  --strict-loopback     with --no-auth: refuse starting logins too
  --allow-origin URL    let web pages of this origin in; repeat for more, '*' is
                        any
how much:
  --on-demand           refresh a token when somebody asks for it, and none in
                        the background
  --max-logins N        how many logins may be pending at a time (default 4)
  --rate-limit          bound how often one client may ask
  --rate-limit-read N, --rate-limit-mutation N, --rate-limit-window TIME
                        the bounds, each of them implies --rate-limit (default
                        120 reads and 30 changes in 1m)
what it tells:
  --audit-log FILE      append who did what to this file, as lines of JSON
  --workspace DIR       shown to clients that ask for the workspace (default:
                        the current folder)
  --json                print where it listens as a line of JSON

The bearer token is that of --token-file, else of USHER_SERVER_TOKEN, else of
QWEN_SERVER_TOKEN, else one that is made at the first start and kept in the
data folder. The table [serve] of config.toml may set listen, allow_origin,
require_auth, audit_log and the rate limits; a flag wins. Sockets that systemd
hands in take the place of --listen and of the daemon's own socket.

SIGTERM ends the daemon when what is in flight is settled: seconds as a rule, up
to 65 if a token would be lost otherwise. SIGHUP makes it read the providers
again and reopen the audit log.

example:
  usher serve &
  curl -H "Authorization: Bearer $(cat ~/.local/share/usher/server-token)" \
      http://127.0.0.1:4170/v1/credentials
`

const defaultListen = "127.0.0.1:4170"

// serveOptions are the arguments of serve, completed by config.toml.
type serveOptions struct {
	listen         string
	listenAsked    bool // by the flag: nothing else will do
	sockets        []string
	tokenFile      string
	workspace      string
	noAuth         bool
	strictLoopback bool
	requireAuth    bool
	allowOrigins   []string
	limited        bool
	limit          server.RateLimit
	onDemand       bool
	maxLogins      int
	auditLog       string
	json           bool
	untilEOF       bool
}

func (a *app) serveCommand() *cobra.Command {
	var (
		o     serveOptions
		flags *pflag.FlagSet
	)
	cmd := a.command(&cobra.Command{
		Use: "serve", Short: "run the daemon", Long: serveHelp, Args: arguments(),
	}, func(ctx context.Context, _ []string) error { return a.runServe(ctx, o, flags) })
	flags = cmd.Flags()
	o.bind(flags)
	untilEOFFlag(cmd, &o.untilEOF)
	return cmd
}

// bind defines the flags.
func (o *serveOptions) bind(f *pflag.FlagSet) {
	f.StringVar(&o.listen, "listen", "", "where to listen")
	f.StringArrayVar(&o.sockets, "socket", nil, "listen on this unix socket too")
	f.StringVar(&o.tokenFile, "token-file", "", "a file with the bearer token")
	f.StringVar(&o.workspace, "workspace", "", "the workspace to show")
	f.BoolVar(&o.noAuth, "no-auth", false, "ask for no token")
	f.BoolVar(&o.strictLoopback, "strict-loopback", false, "refuse starting logins without a token")
	f.BoolVar(&o.requireAuth, "require-auth", false, "ask for the token on /health too")
	f.StringArrayVar(&o.allowOrigins, "allow-origin", nil, "let web pages of this origin in")
	f.BoolVar(&o.limited, "rate-limit", false, "bound how often one client may ask")
	f.IntVar(&o.limit.Read, "rate-limit-read", 0, "how many reads in a window")
	f.IntVar(&o.limit.Mutation, "rate-limit-mutation", 0, "how many changes in a window")
	f.DurationVar(&o.limit.Window, "rate-limit-window", 0, "the window of the rate limit")
	f.BoolVar(&o.onDemand, "on-demand", false, "refresh nothing in the background")
	f.IntVar(&o.maxLogins, "max-logins", login.DefaultMaxActive, "how many logins may be pending")
	f.StringVar(&o.auditLog, "audit-log", "", "append who did what to this file")
	f.BoolVar(&o.json, "json", false, "print JSON")
}

// complete fills in what no flag says, from config.toml and the defaults.
func (o *serveOptions) complete(cfg config.Serve, flags *pflag.FlagSet) error {
	o.listenAsked = o.listen != ""
	for flag, take := range map[string]func(){
		"listen":              func() { o.listen = cfg.Listen },
		"require-auth":        func() { o.requireAuth = cfg.RequireAuth },
		"allow-origin":        func() { o.allowOrigins = cfg.AllowOrigin },
		"rate-limit-read":     func() { o.limit.Read = cfg.RateLimitRead },
		"rate-limit-mutation": func() { o.limit.Mutation = cfg.RateLimitMutation },
		"rate-limit-window":   func() { o.limit.Window = cfg.Window() },
		"audit-log":           func() { o.auditLog = cfg.AuditLog },
	} {
		if !flags.Changed(flag) {
			take()
		}
	}
	if !flags.Changed("rate-limit") {
		o.limited = cfg.RateLimit || slices.ContainsFunc([]string{"read", "mutation", "window"}, func(bound string) bool {
			return flags.Changed("rate-limit-" + bound)
		})
	}
	if o.listen == "" {
		o.listen = defaultListen
	}
	// Clients rely on an absolute path. Where the current folder is gone, the
	// daemon is none the worse.
	if dir, err := filepath.Abs(o.workspace); err == nil {
		o.workspace = dir
	}
	if o.auditLog == "" {
		return nil
	}
	var err error
	o.auditLog, err = filepath.Abs(o.auditLog)
	return err
}

// check refuses what must not be.
func (o *serveOptions) check() error {
	host, _, err := net.SplitHostPort(o.listen)
	switch {
	case err != nil:
		return usagef("the address to listen on must be host:port, such as %s", defaultListen)
	case o.maxLogins < 1:
		return usagef("--max-logins must be 1 or more")
	case o.limit.Read < 0 || o.limit.Mutation < 0 || o.limit.Window < 0:
		return usagef("the rate limit must not be negative")
	case o.noAuth && o.tokenFile != "":
		return usagef("--no-auth and --token-file exclude each other")
	case o.noAuth && o.requireAuth:
		return usagef("--require-auth needs a bearer token, and --no-auth means that there is none").
			WithHint("leave one of them out (require_auth may also stand in config.toml)")
	case o.strictLoopback && !o.noAuth:
		return usagef("--strict-loopback is about --no-auth: with a bearer token there is nothing to be strict about").
			WithHint("leave it out, or add --no-auth")
	case o.noAuth && host == "localhost":
		return errOpenToOthers().WithHint("write 127.0.0.1: a name may mean another address tomorrow")
	case o.noAuth && !literalLoopback(host):
		return errOpenToOthers()
	case o.noAuth && slices.Contains(o.allowOrigins, "*"):
		return usagef("--allow-origin '*' needs a bearer token: without one every web page could use the daemon").
			WithHint("leave --no-auth out, or name the origins one by one")
	}
	for _, origin := range o.allowOrigins {
		if _, err := server.ParseOrigin(origin); err != nil {
			return usagef("--allow-origin: %s", show(err.Error()))
		}
	}
	return nil
}

// rateLimit is the limit as the server wants it; nil for none.
func (o *serveOptions) rateLimit() *server.RateLimit {
	if !o.limited {
		return nil
	}
	return &o.limit
}

func errOpenToOthers() *api.Error {
	return usagef("--no-auth is for a loopback address only, such as 127.0.0.1").
		WithHint("leave --no-auth out, and clients present the bearer token")
}

// literalLoopback reports whether host is a loopback address as such. A name
// may mean another address tomorrow.
func literalLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (a *app) runServe(ctx context.Context, o serveOptions, flags *pflag.FlagSet) error {
	cfg, err := config.Load(a.getenv)
	if err != nil {
		return usagef("%w", err)
	}
	if err := o.complete(cfg.Serve, flags); err != nil {
		return usagef("--audit-log: %w", err)
	}
	if err := o.check(); err != nil {
		return err
	}
	if o.untilEOF {
		var cancel func()
		ctx, cancel = untilEOF(ctx, a.in)
		defer cancel()
	}
	a.collectSeldom()
	d, err := a.startDaemon(cfg, o)
	if err != nil {
		return err
	}
	defer d.close()
	return d.run(ctx)
}

// collectSeldom lets garbage come to more before it is collected, unless the
// environment says how much may. A daemon keeps so little that the default would
// have it collected after every thousand requests.
func (a *app) collectSeldom() {
	if a.getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}
