package usher

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// firstPause is short enough for a daemon that restarts in half a second.
	firstPause = 250 * time.Millisecond
	maxPause   = 15 * time.Second
)

// backoff makes pauses that double from firstPause to maxPause. The zero value
// is ready to use.
type backoff struct{ next time.Duration }

// wait makes the next pause, shortened by up to a quarter at random so that
// clients do not come back in step. It reports false if ctx ended first.
func (b *backoff) wait(ctx context.Context) bool {
	b.next = min(max(2*b.next, firstPause), maxPause)
	return sleep(ctx, b.next-rand.N(b.next/4))
}

// sleep waits for d and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
