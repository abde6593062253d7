package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

const rootHelp = `usher logs you in with OAuth on a machine without a browser: you approve on
your phone or laptop, the tokens land here, and programs ask usher for a fresh
access token whenever they need one.

usage: usher COMMAND

  login KEY      log in: shows a link to open on any device
  token KEY      print an access token that works, refreshed if needed
  status [KEY]   what is logged in
  logout KEY     revoke the tokens at the provider and remove them here
  provider       where logins happen: add, list, show, remove
  serve          run the daemon, for other programs and machines
  sandbox        run an OAuth server to try things with
  demo           see all of it work, with nothing set up
  version        print the version

KEY is a provider, or provider/account for a second account there, such as
github or github/work. usher COMMAND --help tells more about a command,
usher help exit-codes what the exit codes mean.

examples:
  usher demo
  usher provider add example --issuer https://id.example.com --client-id abc
  usher login example
  curl -H "Authorization: Bearer $(usher token example)" https://api.example.com

  --debug        log what happens on standard error, without secrets
`

const exitCodesHelp = `The exit codes of usher are stable:

    0  done
    1  an error that has no code of its own
    2  the command line or the configuration is wrong
    3  a login is needed: the hint has the command
    4  the login was denied
    5  the code expired before the login was approved
    6  the provider cannot be reached
    7  the data folder cannot be used: permissions, space, damage
    8  the login is still pending (login --timeout)
  130  interrupted
`

// root is the tree of all commands.
func (a *app) root() *cobra.Command {
	root := a.command(&cobra.Command{
		Use: "usher", Long: rootHelp,
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) {},
	}, func(ctx context.Context, _ []string) error { return a.runStatus(ctx, statusOptions{newcomer: true}) })
	root.PersistentFlags().BoolVar(&a.debug, "debug", a.debug, "log what happens")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		text := cmd.Long
		if text == "" {
			text = cmd.UsageString() // what cobra brings
		}
		_, _ = fmt.Fprint(cmd.OutOrStdout(), text)
	})
	root.AddCommand(
		a.loginCommand(), a.tokenCommand(), a.statusCommand(), a.logoutCommand(),
		a.providerCommand(), a.serveCommand(), a.sandboxCommand(), a.demoCommand(), a.versionCommand(),
		&cobra.Command{Use: "exit-codes", Short: "what the exit codes mean", Long: exitCodesHelp},
	)
	return root
}

// command makes run what c does.
func (a *app) command(c *cobra.Command, run func(ctx context.Context, args []string) error) *cobra.Command {
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := run(cmd.Context(), args); err != nil {
			return runError{err}
		}
		return nil
	}
	return c
}

// arguments demands exactly the arguments that are named.
func arguments(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s is missing", names[len(args)])
		case len(args) > len(names) && len(names) == 0:
			return fmt.Errorf("no argument is expected")
		case len(args) > len(names):
			return fmt.Errorf("only %s is expected", strings.Join(names, " and "))
		}
		return nil
	}
}

// atMostOne allows for one argument.
func atMostOne(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("only %s is expected", name)
		}
		return nil
	}
}
