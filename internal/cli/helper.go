package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

const helperHelp = `TO BE WRITTEN

usage: usher helper
`

func (a *app) helperCommand() *cobra.Command {
	return a.command(&cobra.Command{Use: "helper", Long: helperHelp, Args: arguments()}, func(context.Context, []string) error {
		return errors.New("not built yet")
	})
}
