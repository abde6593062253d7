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

  --min-ttl D   the life that the token must still have, such as 5m
  --no-prompt   do not offer a login; nor is one offered with --json, with
                CI=true, or without a terminal to type at and to read
  --json        print a JSON object: access_token, token_type, expires_at,
                scopes, base_url

Exit code 3 means that a login is needed; the hint has the command. Ask for the
token right before each use and do not keep it.

example:
  curl -H "Authorization: Bearer $(usher token github)" \
      https://api.github.com/user
`

// tokenPatience bounds the wait for a token: a refresh takes at most 60 s.
const tokenPatience = 75 * time.Second

// tokenOptions are the arguments of token.
type tokenOptions struct {
	key    string
	minTTL time.Duration // 0: left to usher
	quiet  bool          // ask nothing
	json   bool
}

func (a *app) tokenCommand() *cobra.Command {
	var o tokenOptions
	cmd := a.command(&cobra.Command{
		Use: "token KEY", Short: "print an access token", Long: tokenHelp, Args: arguments("KEY"),
	}, func(ctx context.Context, args []string) error {
		o.key = args[0]
		return a.runToken(ctx, o)
	})
	cmd.Flags().DurationVar(&o.minTTL, "min-ttl", 0, "the life that the token must still have")
	cmd.Flags().BoolVar(&o.quiet, "no-prompt", false, "do not offer a login")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *app) runToken(ctx context.Context, o tokenOptions) error {
	seconds := math.Ceil(o.minTTL.Seconds())
	if seconds < 0 || seconds > math.MaxInt32 {
		return usagef("--min-ttl must be between 0 and %s", time.Duration(math.MaxInt32)*time.Second)
	}
	ctx, stop := untilSignal(ctx, syscall.SIGHUP)
	defer stop()
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	bound := settleBound
	defer func() { s.close(bound) }()
	r := api.TokenRequest{Key: o.key, MinTTL: int(seconds)}
	t, err := readToken(ctx, s, r)
	if needed := neededLogin(err); needed != nil && a.canOffer(s, o) {
		if err := a.offerLogin(ctx, s, o.key, needed); err != nil {
			if ctx.Err() != nil {
				bound = cancelBound
			}
			return err
		}
		t, err = readToken(ctx, s, r)
	}
	if err != nil {
		return err
	}
	if t.Short && !t.ExpiresAt.IsZero() {
		a.warnf("the token ends %s; no better one is to be had", when(t.ExpiresAt, time.Now()))
	}
	if o.json {
		return a.printJSON(t)
	}
	return a.printf("%s\n", t.AccessToken)
}

// readToken waits for a token for as long as it may take.
func readToken(ctx context.Context, s *session, r api.TokenRequest) (api.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	return s.Token(ctx, r)
}
