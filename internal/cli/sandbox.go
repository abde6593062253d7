package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/safetext"
	"github.com/usherauth/usher/sandbox"
)

const sandboxHelp = `Run an OAuth authorization server for trying and testing, on this machine only.
The provider "sandbox" that comes with usher points at its default address.

usage: usher sandbox [flags]

  --listen ADDR        a loopback address (default 127.0.0.1:9400; port 0 is
                       any free one)
  --approve MODE       auto: by itself after two polls; manual: on the page;
                       deny (default manual)
  --interval S         seconds between polls (default 5)
  --token-lifetime D   life of an access token, such as 90s (default 1h)
  --code-lifetime D    life of a device code (default 10m)
  --code-grace D       how long a redeemed device code is answered again with
                       the same tokens (default: not at all)
  --rotation MODE      what a refresh does to the refresh token: none, grace,
                       strict (default strict)
  --dialect D          standard, qwen, github (default standard)
  --without-device     offer no device grant, only logins in a browser
  --faults FILE        JSON: what to do wrong, and when
  --clients FILE       JSON: the clients to know (default: any public one)

The first line on standard output is JSON; its issuer is the server's address.
/_sandbox/record there tells what the server saw.

example:
  usher sandbox --approve auto &
  usher login sandbox
`

// sandboxOptions are the arguments of sandbox.
type sandboxOptions struct {
	listen          string
	faults, clients string // files
	untilEOF        bool
	config          sandbox.Config
}

func (a *app) sandboxCommand() *cobra.Command {
	var o sandboxOptions
	cmd := a.command(&cobra.Command{
		Use: "sandbox", Short: "an OAuth server to try things with", Long: sandboxHelp, Args: arguments(),
	}, func(ctx context.Context, _ []string) error { return a.runSandbox(ctx, o) })
	f, c := cmd.Flags(), &o.config
	f.StringVar(&o.listen, "listen", "127.0.0.1:9400", "a loopback address")
	f.StringVar((*string)(&c.Approve), "approve", string(sandbox.ApproveManual), "who approves")
	f.IntVar(&c.Interval, "interval", 0, "seconds between polls")
	f.DurationVar(&c.TokenLifetime, "token-lifetime", 0, "life of an access token")
	f.DurationVar(&c.CodeLifetime, "code-lifetime", 0, "life of a device code")
	f.DurationVar(&c.CodeGrace, "code-grace", 0, "how long a redeemed device code is answered again")
	f.StringVar((*string)(&c.Rotation), "rotation", string(sandbox.RotationStrict), "what a refresh does")
	f.StringVar((*string)(&c.Dialect), "dialect", string(sandbox.DialectStandard), "whose deviations to speak")
	f.BoolVar(&c.WithoutDevice, "without-device", false, "offer no device grant")
	f.StringVar(&o.faults, "faults", "", "what to do wrong")
	f.StringVar(&o.clients, "clients", "", "the clients to know")
	untilEOFFlag(cmd, &o.untilEOF)
	return cmd
}

func (a *app) runSandbox(ctx context.Context, o sandboxOptions) error {
	if err := o.readFiles(); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil || !safetext.IsLoopback(host) {
		return usagef("--listen must be a loopback address with a port, such as 127.0.0.1:9400: the sandbox lets anybody in")
	}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return api.Errorf(api.CodeInternal, "listening: %w", err).WithHint("--listen 127.0.0.1:0 takes any free port")
	}
	defer l.Close()
	o.config.Issuer = "http://" + l.Addr().String()
	if a.debug {
		o.config.Log = a.log(slog.LevelDebug)
	}
	s, err := sandbox.New(o.config)
	if err != nil {
		return usagef("%w", err)
	}
	if o.untilEOF {
		var cancel func()
		ctx, cancel = untilEOF(ctx, a.in)
		defer cancel()
	}
	if err := a.printJSON(struct {
		Issuer string `json:"issuer"`
		Page   string `json:"page"`
		Record string `json:"record"`
	}{s.Issuer(), s.URL("/device"), s.URL("/_sandbox/record")}); err != nil {
		return err
	}
	return serveHTTP(ctx, l, s)
}

// readFiles reads the files that the options name.
func (o *sandboxOptions) readFiles() error {
	if o.faults != "" {
		var err error
		if o.config.Faults, err = readFaults(o.faults); err != nil {
			return err
		}
	}
	if o.clients != "" {
		data, err := os.ReadFile(o.clients)
		if err != nil {
			return usagef("reading the clients: %w", err)
		}
		if o.config.Clients, err = sandbox.ParseClients(data); err != nil {
			return usagef("%s: %w", o.clients, err)
		}
	}
	return nil
}

func readFaults(file string) (sandbox.Faults, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("reading the fault plan: %w", err)
	}
	plan, err := sandbox.ParseFaults(data)
	if err != nil {
		return nil, usagef("%s: %w", file, err)
	}
	return plan, nil
}

// serveHTTP serves h until ctx ends. Requests that are slow on purpose are cut
// off then.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return api.Errorf(api.CodeInternal, "serving: %w", err)
	}
	return nil
}

// untilEOFFlag adds the flag by which a parent process ties a server to
// itself: its end closes the pipe, however it came about, on every platform.
func untilEOFFlag(cmd *cobra.Command, on *bool) {
	cmd.Flags().BoolVar(on, "until-eof", false, "end when standard input does")
	// It fails for a flag that is not there only.
	_ = cmd.Flags().MarkHidden("until-eof")
}

// untilEOF returns a context that ends when in does.
func untilEOF(ctx context.Context, in io.Reader) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, in) // its end is what counts, not why
		cancel()
	}()
	return ctx, cancel
}
