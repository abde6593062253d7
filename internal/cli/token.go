package cli

import (
	"context"
	"math"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
)

const tokenHelp = `Print an access token that works, refreshed first if needed. Where a login is
needed and somebody is at the terminal, it offers the login there and then.

usage: usher token KEY [flags]

  --account A   the account, for KEY without one
  --min-ttl D   the life that the token must still have, such as 5m
  --no-prompt   do not offer a login; nor is one offered with a format for
                programs, with CI=true, or without a terminal to type at and to
                read
  --format F    token: the token (default)
                header: Authorization: Bearer TOKEN, as for curl -H @-
                json: a JSON object: access_token, token_type, expires_at,
                scopes, base_url
                exec-credential: what kubectl reads, an ExecCredential of
                client.authentication.k8s.io/v1
  --json        the same as --format json

Exit code 3 means that a login is needed; the hint has the command. Ask for the
token right before each use and do not keep it.

examples:
  curl -H "Authorization: Bearer $(usher token github)" \
      https://api.github.com/user
  usher token github --format header | curl -H @- https://api.github.com/user
`

// tokenPatience bounds the wait for a token: a refresh takes at most 60 s.
const tokenPatience = 75 * time.Second

// tokenOptions are the arguments of token.
type tokenOptions struct {
	key     string
	account string
	minTTL  time.Duration // 0: left to usher
	quiet   bool          // ask nothing
	json    bool
	format  tokenFormat
}

func (a *app) tokenCommand() *cobra.Command {
	o := tokenOptions{format: formatToken}
	cmd := a.command(&cobra.Command{
		Use: "token KEY", Short: "print an access token", Long: tokenHelp, Args: arguments("KEY"),
	}, func(ctx context.Context, args []string) error {
		o.key = args[0]
		return a.runToken(ctx, o)
	})
	f := cmd.Flags()
	f.StringVar(&o.account, "account", "", "the account")
	f.DurationVar(&o.minTTL, "min-ttl", 0, "the life that the token must still have")
	f.BoolVar(&o.quiet, "no-prompt", false, "do not offer a login")
	f.Var(&o.format, "format", "token, header, json or exec-credential")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *app) runToken(ctx context.Context, o tokenOptions) (err error) {
	if o.json && o.format != formatToken && o.format != formatJSON {
		return usagef("--json and --format %s contradict each other", o.format)
	}
	if o.json {
		o.format = formatJSON
	}
	o.json = o.format.forPrograms()
	if o.key, err = a.resolveKey(o.key, o.account); err != nil {
		return err
	}
	t, err := a.obtainToken(ctx, o)
	if err != nil {
		return err
	}
	a.warnShort(t)
	return a.printToken(t, o.format)
}

// warnShort says that t has less life than was asked for.
func (a *app) warnShort(t api.Token) {
	if t.Short && !t.ExpiresAt.IsZero() {
		a.warnf("the token ends %s; no better one is to be had", when(t.ExpiresAt, time.Now()))
	}
}

// obtainToken is the token that o asks for, after a login where one is needed
// and may be offered.
func (a *app) obtainToken(ctx context.Context, o tokenOptions) (t api.Token, err error) {
	err = a.withSession(ctx, func(ctx context.Context, s *session) error {
		t, err = a.tokenFrom(ctx, s, o)
		return err
	})
	return t, err
}

// withSession runs work with access to credentials, until a signal asks it to
// end, and waits then for what is under way.
func (a *app) withSession(ctx context.Context, work func(context.Context, *session) error) error {
	ctx, stop := untilSignal(ctx, syscall.SIGHUP)
	defer stop()
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	err = work(ctx, s)
	bound := settleBound // a refresh is not to be cut off by a signal
	if s.abandoned {
		bound = cancelBound
	}
	s.close(bound)
	return err
}

// tokenFrom is [app.obtainToken] by a session that is open.
func (a *app) tokenFrom(ctx context.Context, s *session, o tokenOptions) (api.Token, error) {
	seconds := math.Ceil(o.minTTL.Seconds())
	if seconds < 0 || seconds > math.MaxInt32 {
		return api.Token{}, usagef("--min-ttl must be between 0 and %s", time.Duration(math.MaxInt32)*time.Second)
	}
	r := api.TokenRequest{Key: o.key, MinTTL: int(seconds)}
	t, err := readToken(ctx, s, r)
	needed := neededLogin(err)
	if needed == nil || !a.canOffer(s, o) {
		return t, err
	}
	if err := a.offerLogin(ctx, s, o.key, needed); err != nil {
		s.abandoned = ctx.Err() != nil
		return api.Token{}, err
	}
	return readToken(ctx, s, r)
}

// checkPlace is the error for a token of key that may not go where the settings
// of its provider say that tokens go.
func checkPlace(t api.Token, key string) error {
	if !t.Moved {
		return nil
	}
	return api.Errorf(api.CodeProviderMismatch, "the login for %s is at another server than the one that the settings of the provider name now, so its token goes to nothing that they name", key).
		WithHint("log in to the new one: usher login %s", key)
}

// readToken waits for a token for as long as it may take.
func readToken(ctx context.Context, s *session, r api.TokenRequest) (api.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	return s.Token(ctx, r)
}
