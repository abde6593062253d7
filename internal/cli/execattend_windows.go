package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/internal/config"
)

// mindFiles keeps the files fresh beside the command, which this process waits
// for.
func (a *app) mindFiles(ctx context.Context, _ config.Dirs, f *tokenFiles, refresh bool) error {
	if !refresh {
		return nil
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		_ = a.withSession(ctx, func(ctx context.Context, s *session) error {
			a.keepFresh(ctx, s, f)
			return nil
		})
	}()
	f.settle = func() { // a refresh that is cut off would lose the login
		cancel()
		<-settled
	}
	return nil
}

// execAttendCommand is nothing here.
func (a *app) execAttendCommand() *cobra.Command {
	return a.command(&cobra.Command{Use: "exec-attend", Hidden: true}, func(context.Context, []string) error {
		return errors.New("usher exec needs no attendant on Windows")
	})
}
