package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

const setupHelp = `TO BE WRITTEN

usage: usher setup
`

func (a *app) setupCommand() *cobra.Command {
	return a.command(&cobra.Command{Use: "setup", Long: setupHelp, Args: arguments()}, func(context.Context, []string) error {
		return errors.New("not built yet")
	})
}
