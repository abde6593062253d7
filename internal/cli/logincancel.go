package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

const loginCancelHelp = `TO BE WRITTEN

usage: usher login cancel ID
`

func (a *app) loginCancelCommand() *cobra.Command {
	return a.command(&cobra.Command{Use: "cancel ID", Long: loginCancelHelp, Args: arguments()}, func(context.Context, []string) error {
		return errors.New("not built yet")
	})
}
