package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

const loginListHelp = `TO BE WRITTEN

usage: usher login list
`

func (a *app) loginListCommand() *cobra.Command {
	return a.command(&cobra.Command{Use: "list", Long: loginListHelp, Args: arguments()}, func(context.Context, []string) error {
		return errors.New("not built yet")
	})
}
