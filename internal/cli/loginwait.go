package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

const loginWaitHelp = `TO BE WRITTEN

usage: usher login wait ID
`

func (a *app) loginWaitCommand() *cobra.Command {
	return a.command(&cobra.Command{Use: "wait ID", Long: loginWaitHelp, Args: arguments()}, func(context.Context, []string) error {
		return errors.New("not built yet")
	})
}
