package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

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
		_, _ = fmt.Fprint(cmd.OutOrStdout(), cmd.Long)
	})
	root.AddCommand(
		a.loginCommand(), a.tokenCommand(), a.statusCommand(), a.logoutCommand(), a.importCommand(),
		a.execCommand(), a.envCommand(), a.helperCommand(), a.setupCommand(), a.watchCommand(),
		a.loginAttendCommand(), a.execAttendCommand(), a.providerCommand(), a.serveCommand(), a.sandboxCommand(), a.demoCommand(), a.versionCommand(),
		a.completionCommand(),
		&cobra.Command{Use: "exit-codes", Short: "what the exit codes mean", Long: exitCodesHelp},
		&cobra.Command{Use: "environment", Short: "files and variables", Long: environmentHelp},
		&cobra.Command{Use: "json", Short: "what programs get to read", Long: jsonHelp},
	)
	root.SetHelpCommand(a.helpCommand(root))
	a.addCompletions(root)
	return root
}

// helpCommand prints the help of the command that its arguments name.
func (a *app) helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [TOPIC]", Short: "help about a command or a topic", Long: helpHelp,
		ValidArgsFunction: a.completeWith(helpTopics(root), false),
		RunE: func(_ *cobra.Command, args []string) error {
			of, rest, err := root.Find(args)
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
