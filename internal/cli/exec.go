package cli

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/child"
	"github.com/usherauth/usher/secret"
)

const execHelp = `Run a command that gets tokens, in the variables in which programs look for
them: GITHUB_TOKEN and GH_TOKEN for github, say. The provider's token_env names
them (usher provider show github). No token is ever on a command line.

usage: usher exec KEY... [flags] -- COMMAND [ARGUMENT]...

  --env NAME=KEY   the token of KEY in the variable NAME, and in no other
  --fd N, N=KEY    the token in the open file number N, which can be read once;
                   0 is standard input
  --file NAME=KEY  the token in a private file that is removed when the command
                   has ended; the variable NAME has its path
  --refresh        keep those files fresh: a new token takes the place of each
                   before it ends
  --account A      the account, for each KEY without one
  --min-ttl D      the life that the tokens must still have, such as 5m
  --no-prompt      do not offer a login

The command takes the place of usher: signals, the exit code, the terminal and
standard input are its own. Exit code 125 means that usher failed before and
said why, 126 that the command cannot be executed, 127 that it was not found.

examples:
  usher exec github -- gh api user
  usher exec --env TOKEN=github/work --env OTHER=google -- ./sync.sh
  usher exec --fd 0=github -- docker login ghcr.io -u ada --password-stdin
  usher exec --file TOKEN_FILE=github --refresh -- ./long-run.sh
`

// execOptions are the arguments of exec.
type execOptions struct {
	keys             []string
	envs, fds, files []string // as given, see [deliveries]
	refresh          bool
	account          string
	minTTL           time.Duration
	quiet            bool // ask nothing
	command          []string
}

func (a *app) execCommand() *cobra.Command {
	var o execOptions
	cmd := a.command(&cobra.Command{
		Use: "exec KEY... -- COMMAND [ARGUMENT]...", Short: "run a command that gets tokens", Long: execHelp,
		Args: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			if dash < 0 || dash == len(args) {
				return troubled(errors.New("the command is missing: it stands behind --, as in usher exec github -- gh api user"))
			}
			o.keys, o.command = args[:dash], args[dash:]
			return nil
		},
	}, func(ctx context.Context, _ []string) error {
		return troubled(a.runExec(ctx, o))
	})
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return troubled(err) })
	f := cmd.Flags()
	f.StringArrayVar(&o.envs, "env", nil, "the token of a key in a variable")
	f.StringArrayVar(&o.fds, "fd", nil, "the token in an open file")
	f.StringArrayVar(&o.files, "file", nil, "the token of a key in a private file")
	f.BoolVar(&o.refresh, "refresh", false, "keep the files fresh")
	f.StringVar(&o.account, "account", "", "the account")
	f.DurationVar(&o.minTTL, "min-ttl", 0, "the life that the tokens must still have")
	f.BoolVar(&o.quiet, "no-prompt", false, "do not offer a login")
	return cmd
}

// troubled gives err the exit code of a command that did not come about. An
// interrupt keeps its own.
func troubled(err error) error {
	if err == nil || asError(err).Code == api.CodeInterrupted {
		return err
	}
	code := child.ExitTrouble
	if failed, ok := errors.AsType[*child.Error](err); ok {
		code = failed.Code
		if failed.Err == nil {
			return exitCode(code)
		}
		err = api.Errorf(api.CodeInternal, "%w", err)
	}
	return codedError{err, code}
}

func (a *app) runExec(ctx context.Context, o execOptions) error {
	// The last look at these is right before this process becomes the command.
	endings := make(chan os.Signal, 1)
	if minded := notIgnored(append([]os.Signal{syscall.SIGHUP}, interrupts...)); len(minded) > 0 {
		signal.Notify(endings, minded...)
	}
	plan, err := a.planDeliveries(o)
	if err != nil {
		return err
	}
	if o.refresh && len(o.files) == 0 {
		return usagef("--refresh keeps files fresh; a variable cannot be changed any more").WithHint("let the command read a file: --file NAME=KEY")
	}
	path, err := child.Find(o.command[0])
	if err != nil {
		return err
	}
	c := child.Command{Path: path, Args: o.command, Secrets: map[int]secret.String{}}
	set, files := map[string]string{}, &tokenFiles{}
	err = a.withSession(ctx, func(ctx context.Context, s *session) error {
		return a.deliver(ctx, s, o, plan, func(d *delivery, t api.Token) error {
			maps.Copy(set, d.values(t))
			for _, n := range d.fds {
				c.Secrets[n] = secret.New(t.AccessToken)
			}
			for _, name := range d.files {
				files.add(name, d.key, t)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	defer files.remove()
	if err := a.placeFiles(ctx, files, o.refresh); err != nil {
		return err
	}
	maps.Copy(set, files.paths())
	c.Env = a.environ(set)
	return child.Become(c, endings)
}

// environ is the environment of a command: that of this process, with the
// variables of set, and without the token of the daemon.
func (a *app) environ(set map[string]string) []string {
	env, replaced := child.Environ(os.Environ(), set, "USHER_SERVER_TOKEN")
	for _, name := range replaced {
		a.log(silent).Debug("a variable was set and is replaced", "name", name)
	}
	return env
}
