package cli

import (
	"context"
	"net"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/internal/config"
)

const serveHelp = `Run the daemon: it keeps the logins going and serves tokens to other programs,
over HTTP with a bearer token and over a unix socket to your own processes. The
other commands use it by themselves as long as it runs.

usage: usher serve [flags]

  --listen ADDR      where to listen (default 127.0.0.1:4170, or listen in
                     config.toml; port 0 is any free one)
  --socket PATH      listen on this unix socket too; repeat for more
  --token-file F     a file with the bearer token that clients must present
  --workspace DIR    shown to clients that ask for the workspace
  --no-auth          ask for no token, on a loopback address only; what would
                     hand out tokens is refused then
  --max-logins N     how many logins may be pending at a time (default 4)
  --json             print where it listens as a line of JSON

The bearer token is that of --token-file, else of USHER_SERVER_TOKEN, else of
QWEN_SERVER_TOKEN, else one that is made at the first start and kept in the
data folder. SIGTERM ends the daemon when what is in flight is settled; SIGHUP
makes it read the providers again.

example:
  usher serve &
  curl -H "Authorization: Bearer $(cat ~/.local/share/usher/server-token)" \
      http://127.0.0.1:4170/v1/credentials
`

const defaultListen = "127.0.0.1:4170"

// serveOptions are the arguments of serve.
type serveOptions struct {
	listen    string // empty: config.toml decides
	sockets   []string
	tokenFile string
	workspace string
	noAuth    bool
	maxLogins int
	json      bool
	untilEOF  bool
}

func (a *app) serveCommand() *cobra.Command {
	var o serveOptions
	cmd := a.command(&cobra.Command{
		Use: "serve", Short: "run the daemon", Long: serveHelp, Args: arguments(),
	}, func(ctx context.Context, _ []string) error { return a.runServe(ctx, o) })
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "", "where to listen")
	f.StringArrayVar(&o.sockets, "socket", nil, "listen on this unix socket too")
	f.StringVar(&o.tokenFile, "token-file", "", "a file with the bearer token")
	f.StringVar(&o.workspace, "workspace", "", "the workspace to show")
	f.BoolVar(&o.noAuth, "no-auth", false, "ask for no token")
	f.IntVar(&o.maxLogins, "max-logins", 0, "how many logins may be pending")
	f.BoolVar(&o.json, "json", false, "print JSON")
	untilEOFFlag(cmd, &o.untilEOF)
	return cmd
}

// check completes the options from the configuration and refuses what must not
// be.
func (o *serveOptions) check(cfg config.Config) error {
	if o.listen == "" {
		o.listen = cfg.Serve.Listen
	}
	if o.listen == "" {
		o.listen = defaultListen
	}
	host, _, err := net.SplitHostPort(o.listen)
	switch {
	case err != nil:
		return usagef("the address to listen on must be host:port, such as %s", defaultListen)
	case o.maxLogins < 0:
		return usagef("--max-logins must not be negative")
	case o.noAuth && o.tokenFile != "":
		return usagef("--no-auth and --token-file exclude each other")
	case o.noAuth && !literalLoopback(host):
		return usagef("--no-auth is for a loopback address only, such as 127.0.0.1").
			WithHint("leave --no-auth out, and clients present the bearer token")
	}
	return nil
}

// literalLoopback reports whether host is a loopback address as such. A name
// may mean another address tomorrow.
func literalLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (a *app) runServe(ctx context.Context, o serveOptions) error {
	cfg, err := config.Load(a.getenv)
	if err != nil {
		return usagef("%w", err)
	}
	if err := o.check(cfg); err != nil {
		return err
	}
	if o.untilEOF {
		var cancel func()
		ctx, cancel = untilEOF(ctx, a.in)
		defer cancel()
	}
	d, err := a.startDaemon(cfg, o)
	if err != nil {
		return err
	}
	defer d.close()
	return d.run(ctx)
}
