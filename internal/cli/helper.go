package cli

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
)

const helperHelp = `Answer other tools when they ask for a login. They run this, people do not:
usher setup writes it into their configuration.

usage: usher helper git [KEY] [--host HOST]... get|store|erase
       usher helper docker get|store|erase|list
       usher helper kubectl KEY

A token goes to the servers of its provider and to no other: those that
git_hosts and docker_hosts of the provider name, compared exactly.

Under the names git-credential-usher and docker-credential-usher, as links, the
program is usher helper git and usher helper docker.
`

func (a *app) helperCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "helper TOOL", Short: "answer git, docker and kubectl", Long: helperHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return errors.New("unknown tool " + show(args[0]))
			}
			return nil
		},
	}
	a.command(cmd, func(context.Context, []string) error {
		return usagef("for which tool? git, docker or kubectl")
	})
	cmd.AddCommand(a.helperGitCommand(), a.helperDockerCommand(), a.helperKubectlCommand())
	return cmd
}

// calledAs are the names under which tools look for a helper on the PATH.
var calledAs = [...]struct{ name, tool string }{
	{"git-credential-usher", "git"},
	{"docker-credential-usher", "docker"},
}

// Arguments are the arguments of the command line whose program was called by
// the name argv[0]: those behind it, for all names but the ones under which
// tools look for their helpers.
func Arguments(argv []string) []string {
	if len(argv) == 0 {
		return nil
	}
	name := strings.TrimSuffix(filepath.Base(argv[0]), ".exe")
	for _, as := range calledAs {
		if name == as.name {
			return append([]string{"helper", as.tool}, argv[1:]...)
		}
	}
	return argv[1:]
}

// readQuestion reads what a tool asks on standard input.
func readQuestion[T any](ctx context.Context, in io.Reader, parse func(io.Reader) (T, error)) (T, error) {
	of, err := readWithin(ctx, func() (T, error) { return parse(in) })
	switch {
	case err == nil:
		return of, nil
	case ctx.Err() == context.DeadlineExceeded:
		return of, api.Errorf(api.CodeTimeout, "no question came on standard input within %s", tokenPatience)
	case ctx.Err() != nil:
		return of, ctx.Err()
	}
	return of, usagef("the question on standard input is refused: %w", err)
}
