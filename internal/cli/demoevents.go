package cli

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/safetext"
)

// eventLog follows the daemon's events.
type eventLog struct {
	stop context.CancelFunc

	mu      sync.Mutex
	types   []string
	next    int // events up to here have been asked about
	changed chan struct{}
	err     error
}

// beforeAll is the id of an event in no daemon's log. A daemon answers it with
// stream.resync and everything it has, so that following has begun for certain
// when the first event arrives.
const beforeAll = "0-0"

func follow(client *usher.Client) *eventLog {
	ctx, cancel := context.WithCancel(context.Background())
	l := &eventLog{stop: cancel, changed: make(chan struct{})}
	go func() {
		for e, err := range client.Events(ctx, beforeAll) {
			l.mu.Lock()
			if err != nil {
				l.err = err
			} else {
				l.types = append(l.types, e.Type)
			}
			close(l.changed)
			l.changed = make(chan struct{})
			l.mu.Unlock()
		}
	}()
	return l
}

// ready waits until the stream has begun.
func (l *eventLog) ready(ctx context.Context) error { return l.saw(ctx, api.EventStreamResync) }

// saw waits until all of types have arrived in this order after those that
// were asked about before. Others may lie between them.
func (l *eventLog) saw(ctx context.Context, types ...string) error {
	ctx, cancel := context.WithTimeout(ctx, childPatience)
	defer cancel()
	for {
		l.mu.Lock()
		at, found := l.next, 0
		for ; at < len(l.types) && found < len(types); at++ {
			if l.types[at] == types[found] {
				found++
			}
		}
		changed, err := l.changed, l.err
		if found == len(types) {
			l.next = at
			l.mu.Unlock()
			return nil
		}
		l.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the daemon did not tell of %s; it told: %s", types[found], l)
		}
	}
}

// String is the events so far, in order.
func (l *eventLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var shown []string
	for _, t := range l.types {
		if t != api.EventStreamResync {
			shown = append(shown, safetext.Line(t, 0))
		}
	}
	return strings.Join(shown, ", ")
}
