package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

const loginCompleteHelp = `TO BE WRITTEN

usage: usher login complete ID
`

func (a *app) loginCompleteCommand() *cobra.Command {
	return a.command(&cobra.Command{Use: "complete ID", Long: loginCompleteHelp, Args: arguments()}, func(context.Context, []string) error {
		return errors.New("not built yet")
	})
}
