package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// attend does what signals and the service manager ask for while the daemon
// serves, and while it stops, until the returned function is called: read the
// settings again, show that it is alive, and explain to whoever is impatient
// why stopping takes a while. stopping ends when the daemon begins to stop.
func (d *daemon) attend(stopping context.Context) (leave func()) {
	ctx, cancel := context.WithCancel(context.Background())
	hangups, impatient := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	begun := stopping.Done()
	alive := d.heartbeat(ctx)
	var attending sync.WaitGroup
	attending.Go(func() {
		for {
			select {
			case <-hangups:
				d.reload()
			case <-alive:
				d.tellManager(sd.SdNotifyWatchdog)
			case <-begun:
				begun = nil
				// Not before, so that the signal that began it is not among them.
				notifyUnlessIgnored(impatient)
			case <-impatient:
				d.app.sayf("usher daemon is stopping already: what is in flight is settled first, which takes at most %s more; kill -9 ends it now, and may lose a token", span(drainBound))
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		signal.Stop(hangups)
		signal.Stop(impatient)
		cancel()
		attending.Wait()
	}
}

// notifyUnlessIgnored has the signals that ask to end delivered to c, except
// those that the program was started to ignore.
func notifyUnlessIgnored(c chan<- os.Signal) {
	for _, s := range interrupts {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
}

// reload reads the providers again and reopens the audit log. What is broken
// leaves that part as it was, and is said.
func (d *daemon) reload() {
	d.tellManager(reloading())
	if d.audit != nil {
		if err := d.audit.Reopen(); err != nil {
			d.app.warnf("%s; going on with the file that is open", show(err.Error()))
		}
	}
	if err := d.catalogue.Reload(); err != nil {
		d.app.warnAll(d.catalogue.Problems())
	}
	d.app.sayf("usher daemon has read the providers again")
	d.tellManager(sd.SdNotifyReady)
}
