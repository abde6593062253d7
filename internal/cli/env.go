package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

const envHelp = `TO BE WRITTEN

usage: usher env KEY
`

func (a *app) envCommand() *cobra.Command {
	return a.command(&cobra.Command{Use: "env KEY", Long: envHelp, Args: arguments()}, func(context.Context, []string) error {
		return errors.New("not built yet")
	})
}
