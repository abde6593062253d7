//go:build unix

package term

import (
	"context"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// endBound is how long whoever else handles a signal that ends the process has
// to end the keyboard's context. If nobody does, the signal is sent again.
const endBound = 100 * time.Millisecond

// watch minds the signals that stop, continue and end the process for as long as
// reading lasts, and closes what it returns then. Signals that were ignored stay
// ignored. Whoever else handles one that ends the process ends the context of
// the caller.
func (k *Keyboard) watch(reading, caller context.Context) <-chan struct{} {
	stops, ends, done := make(chan os.Signal, 4), make(chan os.Signal, 4), make(chan struct{})
	notify(stops, unix.SIGTSTP, unix.SIGCONT)
	notify(ends, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	go func() {
		defer close(done)
		defer signal.Stop(ends)
		defer signal.Stop(stops)
		for {
			select {
			case <-reading.Done():
				return
			case sig := <-stops:
				if sig == unix.SIGTSTP {
					k.suspend()
				} else {
					k.proceed()
				}
			case sig := <-ends:
				k.letGo()
				leaveTo(caller, ends, sig.(unix.Signal))
				return
			}
		}
	}()
	return done
}

// notify is [signal.Notify] for the signals that are not ignored.
func notify(to chan<- os.Signal, signals ...os.Signal) {
	for _, sig := range signals {
		if !signal.Ignored(sig) {
			signal.Notify(to, sig)
		}
	}
}

// suspend stops the process as Ctrl-Z does, with the terminal as it was before.
func (k *Keyboard) suspend() {
	if !canBeContinued() {
		return
	}
	k.mu.Lock()
	k.stopping = true
	foreground := k.in.foreground()
	k.s.hide(foreground)
	k.release()
	k.mu.Unlock()
	// Not SIGTSTP, which the runtime does not give its default meaning back.
	_ = unix.Kill(unix.Getpid(), unix.SIGSTOP)
	// What follows a stop is SIGCONT.
}

// proceed follows the end of a stop. The terminal may have another mode now, and
// show something else.
func (k *Keyboard) proceed() {
	k.mu.Lock()
	k.stopping, k.held = false, false
	k.s.hide(false)
	k.mu.Unlock()
	k.in.wake()
}

// canBeContinued reports whether there is a shell with job control: it puts
// what it starts into groups of their own, beside its own group, which is that
// of the session.
func canBeContinued() bool {
	session, err := unix.Getsid(0)
	return err == nil && session != unix.Getpgrp()
}

// letGo gives the terminal back, for good.
func (k *Keyboard) letGo() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopping = true
	k.release()
}

// leaveTo leaves a signal to whoever else handles it, and else to the system.
func leaveTo(caller context.Context, ends chan os.Signal, sig unix.Signal) {
	select {
	case <-caller.Done():
		return
	case <-time.After(endBound):
	}
	signal.Stop(ends)
	_ = unix.Kill(unix.Getpid(), sig)
}
