package cli

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// interrupts are the signals that ask a command to end.
var interrupts = []os.Signal{os.Interrupt, syscall.SIGTERM}

// untilSignal returns a context that ends with the first of the signals.
// Later ones do nothing until stop is called. Signals that were ignored when
// the program was started stay ignored, as for nohup and for jobs in the
// background of a script.
func untilSignal(ctx context.Context, signals ...os.Signal) (_ context.Context, stop func()) {
	minded := notIgnored(signals)
	if len(minded) == 0 {
		return context.WithCancel(ctx) // Notify of no signals means all of them
	}
	return signal.NotifyContext(ctx, minded...)
}

// untilInterrupt returns a context that ends with the first interrupt, as that of
// untilSignal. What is said after Ctrl-C begins below where the terminal shows it.
func (a *app) untilInterrupt(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	minded := notIgnored(interrupts)
	if len(minded) == 0 {
		return ctx, cancel
	}
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, minded...)
	go func() {
		for {
			select {
			case got := <-signals:
				if got == os.Interrupt {
					a.err.Interrupted()
				}
				cancel()
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

// notIgnored are those of signals that were not ignored from the start.
func notIgnored(signals []os.Signal) []os.Signal {
	return slices.DeleteFunc(slices.Clone(signals), signal.Ignored)
}

// ignoreBrokenPipes makes writing to a closed pipe an error instead of the
// program's end: whoever stops reading must not cut off a login or a refresh.
func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }
