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

// start starts the rotation of e's key that p plans, unless one runs; it returns
// the one that runs, and whether it is the one planned. ctx lends its values
// alone.
func (m *Manager) start(ctx context.Context, e *entry, p plan) (f *flight, planned bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flight != nil {
		return e.flight, false, nil
	}
	if err := e.back.errFor(p.seen); err != nil && p.goal != goalShare {
		return nil, false, err
	}
	if !m.begin() {
		return nil, false, ErrClosed
	}
	f = &flight{ready: make(chan struct{})}
	e.flight = f
	e.readings++
	r := &rotation{plan: p, m: m, entry: e, reading: e.readings, flight: f, key: e.key}
	go m.fly(context.WithoutCancel(ctx), r)
	return f, true, nil
}

// fly runs a rotation to its end and tells everybody.
func (m *Manager) fly(ctx context.Context, r *rotation) {
	defer m.running.Done()
	r.run(ctx)
	if r.background {
		m.background.end()
	}

	r.entry.mu.Lock()
	res := r.result
	if r.goal != goalShare { // which says nothing about the provider
		res = r.entry.back.note(r.generation(), r.result)
	} else if res.err == nil && res.unshared == nil {
		r.entry.watch.failures = 0
	}
	r.entry.flight = nil
	r.entry.mu.Unlock()

	for _, event := range r.events {
		m.observe(event)
	}
	r.flight.set(res)
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
