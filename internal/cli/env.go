package cli

import (
	"context"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/shell"
)

const envHelp = `Print tokens as lines for a shell. They set the variables in which programs look
for them: GITHUB_TOKEN and GH_TOKEN for github, say. The provider's token_env
names them (usher provider show github).

usage: usher env KEY... [flags]

  --shell S        sh (also for bash and zsh), fish or powershell (default: by
                   PSModulePath and SHELL)
  --env NAME=KEY   the token of KEY in the variable NAME, and in no other
  --unset          print the lines that take the variables back
  --account A      the account, for each KEY without one
  --min-ttl D      the life that the tokens must still have, such as 5m
  --no-prompt      do not offer a login

A variable does not change when its token ends, and all that the shell runs can
read it: usher exec gives a token to one command alone.

examples:
  eval "$(usher env github)"
  usher env github --shell fish | source
  usher env github --shell powershell | Out-String | Invoke-Expression
`

// envOptions are the arguments of env.
type envOptions struct {
	execOptions
	shell string // empty: to be found out
	unset bool
}

func (a *app) envCommand() *cobra.Command {
	var o envOptions
	cmd := a.command(&cobra.Command{
		Use: "env KEY...", Short: "print tokens as lines for a shell", Long: envHelp,
	}, func(ctx context.Context, args []string) error {
		o.keys = args
		return a.runEnv(ctx, o)
	})
	f := cmd.Flags()
	f.StringVar(&o.shell, "shell", "", "sh, fish or powershell")
	f.StringArrayVar(&o.envs, "env", nil, "the token of a key in a variable")
	f.BoolVar(&o.unset, "unset", false, "take the variables back")
	f.StringVar(&o.account, "account", "", "the account")
	f.DurationVar(&o.minTTL, "min-ttl", 0, "the life that the tokens must still have")
	f.BoolVar(&o.quiet, "no-prompt", false, "do not offer a login")
	return cmd
}

func (a *app) runEnv(ctx context.Context, o envOptions) error {
	sh, err := a.whichShell(o.shell)
	if err != nil {
		return err
	}
	plan, err := a.planDeliveries(o.execOptions)
	if err != nil {
		return err
	}
	if o.unset {
		return a.printLines(unsetLines(sh, plan))
	}
	var lines []string
	var first time.Time // when the first of the tokens ends
	err = a.withSession(ctx, func(ctx context.Context, s *session) error {
		return a.deliver(ctx, s, o.execOptions, plan, func(d *delivery, t api.Token) error {
			if !t.ExpiresAt.IsZero() && (first.IsZero() || t.ExpiresAt.Before(first)) {
				first = t.ExpiresAt
			}
			values := d.values(t)
			for _, name := range d.variables() {
				line, err := sh.Export(name, values[name])
				if err != nil {
					return api.Errorf(api.CodeInternal, "%w", err)
				}
				lines = append(lines, line)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if err := a.printLines(lines); err != nil {
		return err
	}
	if a.err.Terminal() && !first.IsZero() {
		a.sayf("Good for %s; then run it again.", span(time.Until(first)))
	}
	return nil
}

// whichShell is the shell called name, or the one that this process was probably
// started from.
func (a *app) whichShell(name string) (shell.Shell, error) {
	if name == "" {
		return shell.Detect(runtime.GOOS, a.getenv), nil
	}
	sh, err := shell.Parse(name)
	if err != nil {
		return "", usagef("--shell: %w", err)
	}
	return sh, nil
}

// unsetLines take the variables of a plan back.
func unsetLines(sh shell.Shell, plan []*delivery) []string {
	var lines []string
	for _, d := range plan {
		for _, name := range d.variables() {
			lines = append(lines, sh.Unset(name))
		}
	}
	return lines
}
