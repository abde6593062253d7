package term

import (
	"context"
	"time"
)

// Resized tells until ctx ends that the window may have got another size.
func (s *Screen) Resized(ctx context.Context) <-chan struct{} {
	resized := make(chan struct{}, 1)
	if !s.Terminal() {
		return resized
	}
	go func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		columns, rows := s.size()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if c, r := s.size(); c != columns || r != rows {
				columns, rows = c, r
				tell(resized)
			}
		}
	}()
	return resized
}
