package cli

import (
	"errors"
	"net"
	"strings"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/localsock"
	"github.com/usherauth/usher/server"
)

// listen opens all listeners: those that systemd hands in, and for each kind
// that it does not, TCP and the owner's own socket; and the sockets asked for.
func (d *daemon) listen() error {
	d.reached = daemonFile{Version: readVersion().Version, Config: d.dirs.ConfigFile}
	given, err := handedIn()
	for _, l := range given {
		d.add(l)
	}
	if err != nil {
		return api.Errorf(api.CodeInternal, "taking the sockets that systemd hands in: %w", err)
	}
	switch {
	case d.reached.Listen == "":
		if err := d.listenTCP(); err != nil {
			return err
		}
	case d.opts.listenAsked:
		return usagef("systemd hands in the address to listen on").
			WithHint("leave --listen out, or ListenStream= of the socket unit")
	case d.opts.noAuth && d.openToOthers():
		return errOpenToOthers()
	}
	if d.reached.Socket == "" {
		own := localsock.Path(d.dirs.Home, d.dirs.RuntimeDir)
		// Without such sockets commands work on the same files, without the
		// daemon.
		if err := d.listenLocal(own); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	for _, path := range d.opts.sockets {
		if err := d.listenLocal(path); err != nil {
			return err
		}
	}
	return nil
}

// add takes l among the listeners. The first of each kind is what daemon.json
// names.
func (d *daemon) add(l server.Listener) {
	d.listeners = append(d.listeners, l)
	switch {
	case l.Trusted && d.reached.Socket == "":
		d.reached.Socket = l.Addr().String()
	case !l.Trusted && d.reached.Listen == "":
		d.reached.Listen = reachableURL(l.Addr())
	}
}

func (d *daemon) listenTCP() error {
	l, err := net.Listen("tcp", d.opts.listen)
	if err != nil {
		return api.Errorf(api.CodeInternal, "listening: %w", err).
			WithHint("choose another address with --listen; port 0 is any free one")
	}
	d.add(server.Listener{Listener: l})
	return nil
}

func (d *daemon) listenLocal(path string) error {
	l, err := localsock.Listen(path)
	if err != nil {
		return api.Errorf(api.CodeInternal, "listening on %s: %w", show(path), err)
	}
	d.add(server.Listener{Listener: l, Trusted: true})
	return nil
}

// places are the addresses of all listeners, for a person.
func (d *daemon) places() string {
	var all []string
	for _, l := range d.listeners {
		switch {
		case l.Trusted:
			all = append(all, show(l.Addr().String()))
		case unspecified(l.Addr()):
			all = append(all, reachableURL(l.Addr())+" (on every address of this machine)")
		default:
			all = append(all, reachableURL(l.Addr()))
		}
	}
	return strings.Join(all, " and ")
}

// reachableURL is where a listener on TCP answers to clients of this machine:
// the unspecified addresses are for listening only, and as a Host refused.
func reachableURL(addr net.Addr) string {
	if _, port, err := net.SplitHostPort(addr.String()); err == nil && unspecified(addr) {
		return "http://" + net.JoinHostPort("localhost", port)
	}
	return "http://" + addr.String()
}

func unspecified(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsUnspecified()
}

// openToOthers reports whether other machines can connect.
func (d *daemon) openToOthers() bool {
	for _, l := range d.listeners {
		if host, _, err := net.SplitHostPort(l.Addr().String()); !l.Trusted && err == nil && !literalLoopback(host) {
			return true
		}
	}
	return false
}
