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

  login [KEY]    log in: shows a link to open on any device
  token KEY      print an access token that works, refreshed if needed
  exec KEY CMD   run a command that gets the token
  env KEY        print the token as lines for a shell
  status [KEY]   what is logged in
  logout KEY     revoke the tokens at the provider and remove them here
  import qwen    take over the login of qwen-code
  setup TOOL     let git, docker, kubectl or qwen ask usher for tokens
  helper TOOL    what they ask then
  watch          follow what happens
  provider       where logins happen: add, list, show, remove
  serve          run the daemon, for other programs and machines
  sandbox        run an OAuth server to try things with
  demo           see all of it work, with nothing set up
  version        print the version

KEY is a provider, or provider/account for a second account there, such as
github or github/work. usher COMMAND --help tells more about a command,
usher help exit-codes what the exit codes mean, usher help environment where
usher keeps its files and which variables it reads. usher completion SHELL
prints completions for bash, zsh, fish or powershell.

examples:
  usher demo
  usher provider add example --issuer https://id.example.com --client-id abc
  usher login example
  curl -H "Authorization: Bearer $(usher token example)" https://api.example.com

  --debug        log what happens on standard error, without secrets
  --version      print the version
`

const helpHelp = `Print the help of a command. usher --help lists them all.

usage: usher help [COMMAND]

example:
  usher help provider add
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

const environmentHelp = `The variables that usher reads:

  USHER_HOME           the data folder: credentials, logins, the daemon's socket
                       and token (default ~/.local/share/usher)
  USHER_CONFIG         the configuration (default ~/.config/usher/config.toml);
                       added providers are in the folder providers beside it
  USHER_SERVER_TOKEN   the bearer token of usher serve, else QWEN_SERVER_TOKEN
  USHER_DEBUG=1        the same as --debug
  QWEN_HOME            the folder of qwen-code, whose file qwen-oauth shares
                       (default ~/.qwen)
  XDG_RUNTIME_DIR      where the daemon's socket goes if the path of the data
                       folder is too long, and what cannot be stored there
  CI                   if true, nothing is asked at a terminal
  NO_COLOR             if set, no colour
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY
                       the way to providers

XDG_DATA_HOME and XDG_CONFIG_HOME move the defaults. On macOS both are in
~/Library/Application Support, on Windows in LocalAppData and AppData.
`

// root is the tree of all commands.
func (a *app) root() *cobra.Command {
	var version bool
	root := a.command(&cobra.Command{
		Use: "usher", Long: rootHelp,
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) {},
	}, func(ctx context.Context, _ []string) error {
		if version {
			return a.printf("%s\n", readVersion())
		}
		return a.runStatus(ctx, statusOptions{newcomer: true})
	})
	// Not cobra's own flag: its template would link a library into every run.
	root.Flags().BoolVar(&version, "version", false, "print the version")
	root.PersistentFlags().BoolVar(&a.debug, "debug", a.debug, "log what happens")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		text := cmd.Long
		if cmd.Name() == "completion" || cmd.HasParent() && cmd.Parent().Name() == "completion" {
			text = strings.TrimSpace(text) + "\n\n" + cmd.UsageString() // what cobra brings
		}
		_, _ = fmt.Fprint(cmd.OutOrStdout(), text)
	})
	root.AddCommand(
		a.loginCommand(), a.tokenCommand(), a.statusCommand(), a.logoutCommand(), a.importCommand(),
		a.execCommand(), a.envCommand(), a.helperCommand(), a.setupCommand(), a.watchCommand(),
		a.providerCommand(), a.serveCommand(), a.sandboxCommand(), a.demoCommand(), a.versionCommand(),
		&cobra.Command{Use: "exit-codes", Short: "what the exit codes mean", Long: exitCodesHelp},
		&cobra.Command{Use: "environment", Short: "files and variables", Long: environmentHelp},
	)
	root.SetHelpCommand(a.helpCommand())
	return root
}

// helpCommand prints the help of the command that its arguments name.
func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "help about any command", Long: helpHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			of, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return fmt.Errorf("no help about %s", show(strings.Join(args, " ")))
			}
			return of.Help()
		},
	}
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
