package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/usherauth/usher/internal/localsock"
	"github.com/usherauth/usher/server"
)

// What systemd and a daemon tell each other: sockets that are there before the
// daemon and stay after it (sd_listen_fds(3)), how the daemon is
// (sd_notify(3)), and that it is still there (sd_watchdog_enabled(3)). All of
// it is in the environment, and nothing happens without.

// handedIn returns the sockets that the service manager opened for this
// process. Over a unix socket comes its owner, as over the daemon's own. Beside
// an error are those that can be closed.
func handedIn() (out []server.Listener, err error) {
	// The variables stay set: they name this process, so nobody else heeds them.
	for _, file := range activation.Files(false) {
		l, listenErr := net.FileListener(file)
		err = errors.Join(err, listenErr, file.Close())
		if listenErr != nil {
			continue
		}
		given := server.Listener{Listener: l}
		switch l.Addr().Network() {
		case "tcp":
		case "unix":
			restricted, restrictErr := localsock.Restrict(l)
			if err = errors.Join(err, restrictErr); restrictErr == nil {
				given = server.Listener{Listener: restricted, Trusted: true}
			}
		default:
			err = errors.Join(err, fmt.Errorf("%s is no stream socket of TCP or unix", l.Addr()))
		}
		out = append(out, given)
	}
	return out, err
}

// tellManager tells the service manager of a state, if there is one. That it
// cannot be told changes nothing for anybody else.
func (d *daemon) tellManager(state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		d.app.warnf("telling systemd: %s", show(err.Error()))
	}
}

// reloading is the state for the time in which settings are read; the time on
// it lets the service manager tell one reload from the next.
func reloading() string { return sd.SdNotifyReloading + "\n" + sd.SdNotifyMonotonicUsec() }

// heartbeat is how often the service manager wants to hear of the daemon; nil
// is never. It is half of what the manager waits for, as its manual advises.
func (d *daemon) heartbeat(ctx context.Context) <-chan time.Time {
	patience, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		d.app.warnf("systemd's watchdog: %s", show(err.Error()))
	}
	if patience <= 0 {
		return nil
	}
	t := time.NewTicker(max(patience/2, time.Millisecond))
	context.AfterFunc(ctx, t.Stop)
	return t.C
}
