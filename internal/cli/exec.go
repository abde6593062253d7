package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

const execHelp = `TO BE WRITTEN

usage: usher exec KEY...
`

func (a *app) execCommand() *cobra.Command {
	return a.command(&cobra.Command{Use: "exec KEY...", Long: execHelp, Args: arguments()}, func(context.Context, []string) error {
		return errors.New("not built yet")
	})
}
