package term

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// Keyboard is a terminal that is read key by key, without Enter and without
// showing what is typed. Ctrl-C stays the signal that it is. It is safe for
// concurrent use.
type Keyboard struct {
	s       *Screen
	in      *input
	events  chan Key
	replies chan string
	again   chan struct{}
	ended   chan struct{} // closed when nothing reads any more
	stop    context.CancelFunc

	mu       sync.Mutex
	held     bool // the terminal is in our mode
	stopping bool // the process is being stopped or ended, and must not take it
	owed     bool // the terminal has not answered a query yet
}

// Escapes that make a terminal mark what is pasted, and not.
const (
	markPastes   = "\x1b[?2004h"
	unmarkPastes = "\x1b[?2004l"
)

// Keys reads single keys from in, which is the terminal that s shows on, until
// ctx ends or [Keyboard.Close] is called. It fails if in is not a terminal that
// a person types at ([CanRead]), or s is none.
//
// The terminal gets its mode back when reading ends, when a signal stops or ends
// the process, and whenever the process is in the background, where it neither
// reads nor draws. A panic in the caller's goroutine needs a deferred Close.
func (s *Screen) Keys(ctx context.Context, in io.Reader) (*Keyboard, error) {
	f, ok := in.(*os.File)
	if !ok || !CanRead(in) || !s.Terminal() {
		return nil, errors.New("single keys cannot be read here")
	}
	opened, err := openInput(f)
	if err != nil {
		return nil, err
	}
	reading, stop := context.WithCancel(ctx)
	k := &Keyboard{
		s: s, in: opened, stop: stop,
		events: make(chan Key, 16), replies: make(chan string, 4),
		again: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	if err := k.take(); err != nil {
		stop()
		opened.close()
		return nil, err
	}
	s.reads(1)
	go k.run(reading, k.watch(reading, ctx))
	return k, nil
}

// Events are the keys. The channel is closed when there will be no more.
func (k *Keyboard) Events() <-chan Key { return k.events }

// Continued tells that the process was stopped or in the background and has its
// terminal again; what was shown is drawn again.
func (k *Keyboard) Continued() <-chan struct{} { return k.again }

// Close gives the terminal back as it was. It may be called more than once.
func (k *Keyboard) Close() {
	k.awaitReply()
	k.stop()
	<-k.ended
}

// run reads until ctx ends, or the terminal does.
func (k *Keyboard) run(ctx context.Context, watching <-chan struct{}) {
	defer close(k.ended)
	defer close(k.events)
	defer k.s.reads(-1)
	defer func() {
		k.stop()
		<-watching
		k.mu.Lock()
		defer k.mu.Unlock()
		k.release()
		k.in.close()
	}()
	defer context.AfterFunc(ctx, k.in.wake)()
	d := decoder{reply: k.heard, key: func(key Key) {
		select {
		case k.events <- key:
		case <-ctx.Done():
		}
	}}
	buf := make([]byte, 4096)
	for ctx.Err() == nil {
		if !k.ready() {
			k.in.rest(backgroundTick)
			continue
		}
		n, err := k.in.read(buf, d.patience())
		switch {
		case err != nil:
			return
		case n > 0:
			d.feed(buf[:n])
			clear(buf[:n])
		case n == silent:
			d.silence()
		}
	}
}

// backgroundTick is how often a process in the background looks whether it is
// in the foreground again: nobody tells it.
const backgroundTick = 250 * time.Millisecond

// ready reports whether the terminal may be read, and takes it or leaves it to
// others first.
func (k *Keyboard) ready() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopping {
		return false
	}
	switch foreground := k.in.foreground(); {
	case !foreground:
		k.held = false // whoever put us there has set a mode of its own
		k.s.hide(false)
	case !k.held:
		if k.takeLocked() != nil {
			return false
		}
		k.s.unhide()
		tell(k.again)
	}
	return k.held
}

// take puts the terminal into our mode.
func (k *Keyboard) take() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.takeLocked()
}

func (k *Keyboard) takeLocked() error {
	if err := k.in.setMode(); err != nil {
		return err
	}
	k.held = true
	k.s.control(markPastes)
	return nil
}

// release gives the terminal its mode back, if it is ours to change.
func (k *Keyboard) release() {
	if k.held && k.in.foreground() {
		k.s.control(unmarkPastes)
		k.in.restoreMode()
	}
	k.held = false
}

// control writes a command to the terminal, unless that only takes text.
func (s *Screen) control(escape string) {
	if !s.CanLive() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// What cannot be written changes nothing.
	_, _ = io.WriteString(s.w, escape)
}

// tell leaves word for whoever looks next.
func tell(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}
