package cli

import (
	"context"
	"os"
	"time"
)

// untilOrphaned returns a context that ends when the program that started this
// one does. A signal that ends `go run` does not reach what it runs, and a demo
// that nobody watches any more has no purpose. On Windows, where the parent's
// id never changes, it goes on.
func untilOrphaned(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	go func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if os.Getppid() != parent {
					cancel()
				}
			}
		}
	}()
	return ctx, cancel
}
