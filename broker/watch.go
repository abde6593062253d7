package broker

import (
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/credential"
)

// watchPeriod is how often a daemon looks for credentials that other processes
// changed.
const watchPeriod = time.Second

// orphanPeriod is how often a daemon looks for tokens that nobody owns any more.
const orphanPeriod = time.Hour

// watchCredentials tells what other processes do to credentials, and has those
// that are due renewed. What was there at the start is no news: New has looked at
// it.
func (b *Broker) watchCredentials(ctx context.Context) {
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.lookAtCredentials(ctx, false)
		case <-ctx.Done():
			return
		}
	}
}

// sweepOrphans revokes, at the start and from time to time, what rotations left
// behind that a logout or a login had overtaken.
func (b *Broker) sweepOrphans(ctx context.Context) {
	tick := time.NewTicker(orphanPeriod)
	defer tick.Stop()
	for {
		if err := b.tokens.RevokeOrphans(ctx); err != nil && ctx.Err() == nil {
			b.cfg.Log.Warn("revoking tokens that were left behind", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// lookAtCredentials tells what is new about the credentials and tends them, or,
// if silent, only takes note of them.
func (b *Broker) lookAtCredentials(ctx context.Context, silent bool) {
	b.mu.Lock()
	gone := make(map[credential.Key]bool, len(b.known))
	for key, k := range b.known {
		if !k.removed {
			gone[key] = true
		}
	}
	b.mu.Unlock()
	for c, err := range b.cfg.Store.List(ctx) {
		if err != nil {
			// One that cannot be read is not gone; which one it is, the error
			// says only to people, so nothing is reported gone this time.
			b.cfg.Log.Debug("unreadable credential", "error", err)
			clear(gone)
			continue
		}
		delete(gone, c.Key)
		if silent {
			b.mu.Lock()
			b.known[c.Key] = knownOf(c)
			b.mu.Unlock()
			continue
		}
		b.announce(c, stored)
		if !b.cfg.OnDemand {
			b.tokens.Tend(c)
		}
	}
	for key := range gone {
		// Stored after the list was read, or not readable? Then it is not gone.
		if _, err := b.cfg.Store.Get(ctx, key); errors.Is(err, credential.ErrNotFound) {
			b.announceRemoved(key, 0)
		}
	}
}
