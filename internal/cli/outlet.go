package cli

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/usherauth/usher/internal/term"
)

// outletLines is how many lines an outlet holds for a reader that is slow.
const outletLines = 1024

// outlet is a writer that never makes its caller wait. A daemon's standard
// error may be a pipe that nobody empties; that must not stop logins, and not
// its end either. What finds no room is dropped, and how much that was is told
// when there is room again.
type outlet struct {
	w     io.Writer
	ended chan struct{} // closed when everything is written

	mu      sync.Mutex
	lines   chan []byte // nil once closed
	dropped int
}

func newOutlet(w io.Writer) *outlet {
	o := &outlet{w: w, lines: make(chan []byte, outletLines), ended: make(chan struct{})}
	go o.run(o.lines)
	return o
}

func (o *outlet) run(lines <-chan []byte) {
	defer close(o.ended)
	for line := range lines {
		if n := o.takeDropped(); n > 0 {
			_, _ = fmt.Fprintf(o.w, "usher: warning: %d messages were dropped here, because nobody read them\n", n)
		}
		_, _ = o.w.Write(line)
	}
}

func (o *outlet) takeDropped() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.dropped
	o.dropped = 0
	return n
}

// Write takes p, or drops it. It is safe for concurrent use and never fails.
func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.lines <- append([]byte(nil), p...):
	default: // full, or closed
		o.dropped++
	}
	return len(p), nil
}

// close waits until what was taken is written, at most for bound, and reports
// whether it was. Writes after it are dropped.
func (o *outlet) close(bound time.Duration) bool {
	o.mu.Lock()
	if o.lines != nil {
		close(o.lines)
		o.lines = nil
	}
	o.mu.Unlock()
	select {
	case <-o.ended:
		return true
	case <-time.After(bound):
		return false
	}
}

// flushBound is how long a daemon that ends waits for what it said to be read.
const flushBound = time.Second

// detach puts an outlet before standard error until the returned function is
// called. If nobody reads by then, what is still said is dropped.
func (a *app) detach() (attach func()) {
	direct := a.err
	o := newOutlet(direct)
	a.err = term.New(o, a.getenv)
	return func() {
		if o.close(flushBound) {
			a.err = direct
		}
	}
}
