package token

import (
	"context"
	"sync"
	"sync/atomic"
)

// flight is one rotation and those who wait for it.
type flight struct {
	// locked: the rotation holds the store's lock.
	locked atomic.Bool
	// ready is closed when there is a result, which may be a token that is
	// not durable yet while the flight goes on.
	ready chan struct{}

	mu     sync.Mutex
	landed bool // ready is closed
	result result
}

func (f *flight) set(r result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.result = r
	if !f.landed {
		f.landed = true
		close(f.ready)
	}
}

// wait returns the result as it is when there first is one or ctx ends.
func (f *flight) wait(ctx context.Context) (result, error) {
	select {
	case <-f.ready:
	case <-ctx.Done():
		return result{}, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.result, nil
}
