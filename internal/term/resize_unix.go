//go:build unix

package term

import (
	"context"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Resized tells until ctx ends that the window may have got another size.
func (s *Screen) Resized(ctx context.Context) <-chan struct{} {
	resized := make(chan struct{}, 1)
	if !s.Terminal() {
		return resized
	}
	changes := make(chan os.Signal, 1)
	signal.Notify(changes, unix.SIGWINCH)
	go func() {
		defer signal.Stop(changes)
		for {
			select {
			case <-ctx.Done():
				return
			case <-changes:
				tell(resized)
			}
		}
	}()
	return resized
}
