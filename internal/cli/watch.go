package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

const watchHelp = `TO BE WRITTEN

usage: usher watch
`

func (a *app) watchCommand() *cobra.Command {
	return a.command(&cobra.Command{Use: "watch", Long: watchHelp, Args: arguments()}, func(context.Context, []string) error {
		return errors.New("not built yet")
	})
}
