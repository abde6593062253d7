package callback

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
)

// Config says where to listen.
type Config struct {
	// Provider is the name of the provider, a part of the path where it has no
	// redirect URIs of its own: each has another one, so that the answer of one is
	// not taken for that of another (RFC 8252 section 8.10).
	Provider string
	// RedirectURIs are those that the provider's configuration lists; empty means
	// http://127.0.0.1:PORT/callback/PROVIDER.
	RedirectURIs []string
	// Port is where to listen; 0 means the port of the redirect URI, and where that
	// has none any free one.
	Port int
}

// A Listener listens for the browser. Create it with [Listen] or [FromFiles]. Its
// methods may be called concurrently, Serve once.
type Listener struct {
	target  target // with its port
	sockets []*net.TCPListener
}

// A PortError is the error for a port that cannot be listened on.
type PortError struct {
	Port int
	Err  error
}

func (e *PortError) Error() string {
	cause := e.Err
	for next := cause; next != nil; next = errors.Unwrap(next) {
		cause = next // the outer ones repeat the port
	}
	return fmt.Sprintf("port %d of this machine cannot be listened on: %v", e.Port, cause)
}

func (e *PortError) Unwrap() error { return e.Err }

// Listen listens on 127.0.0.1 and, where the machine has it, on [::1], on the
// same port. The error is a [PortError] if that cannot be had, and else
// [ErrNotLoopback] or [ErrPort].
func Listen(c Config) (*Listener, error) {
	t, err := c.target()
	if err != nil {
		return nil, err
	}
	return listen(t)
}

// Rejoin listens where a login that is pending already sends the browser. Its
// errors are those of [Listen].
func Rejoin(redirectURI string) (*Listener, error) {
	t, ok := parseTarget(redirectURI)
	if !ok || t.port == 0 {
		return nil, ErrNotLoopback
	}
	return listen(t)
}

func listen(t target) (*Listener, error) {
	addresses, err := t.addresses()
	if err != nil {
		return nil, &PortError{t.port, err}
	}
	// A port that is free on one address may be taken on the other one.
	for range 20 {
		var l *Listener
		if l, err = t.bind(addresses); err == nil {
			return l, nil
		}
		if t.port != 0 {
			break
		}
	}
	return nil, &PortError{t.port, err}
}

// addresses are the addresses of loopback that this machine has. That of t is
// among them.
func (t target) addresses() ([]string, error) {
	var found []string
	var problem error
	for _, address := range []string{"127.0.0.1", "::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			problem = err
			continue
		}
		l.Close()
		found = append(found, address)
	}
	if t.host == "localhost" && len(found) > 0 || slices.Contains(found, t.host) {
		return found, nil
	}
	return nil, problem
}

// bind listens on all addresses, at t's port or at one that is free on the first.
func (t target) bind(addresses []string) (*Listener, error) {
	l := &Listener{target: t}
	for _, address := range addresses {
		socket, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(l.target.port)))
		if err != nil {
			l.Close()
			return nil, err
		}
		l.sockets = append(l.sockets, socket.(*net.TCPListener))
		l.target.port = socket.Addr().(*net.TCPAddr).Port
	}
	return l, nil
}

// RedirectURI is where the browser is to be sent.
func (l *Listener) RedirectURI() string { return l.target.uri() }

// Port is the port that is listened on.
func (l *Listener) Port() int { return l.target.port }

// Host is the address that the browser is sent to: 127.0.0.1 or ::1.
func (l *Listener) Host() string {
	if l.target.host == "localhost" {
		return l.sockets[0].Addr().(*net.TCPAddr).IP.String()
	}
	return l.target.host
}

// Close stops listening. It is safe to call more than once, and ends no Serve.
func (l *Listener) Close() {
	for _, socket := range l.sockets {
		socket.Close() // it was open, or closed before
	}
}

// Files returns duplicates of the sockets, for another process to go on with
// through [FromFiles]. What has connected meanwhile goes over as well. Windows
// cannot do it: the error matches [errors.ErrUnsupported].
func (l *Listener) Files() ([]*os.File, error) {
	if runtime.GOOS == "windows" {
		return nil, fmt.Errorf("handing a socket to another process: %w", errors.ErrUnsupported)
	}
	var files []*os.File
	for _, socket := range l.sockets {
		f, err := socket.File()
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			return nil, fmt.Errorf("handing a socket to another process: %w", err)
		}
		files = append(files, f)
	}
	return files, nil
}

// FromFiles goes on with the sockets of another process's Listener, whose
// redirect URI it was. It closes files, whatever comes of it. Each must be a
// socket that listens at the URI's port on loopback.
func FromFiles(files []*os.File, redirectURI string) (*Listener, error) {
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	t, ok := parseTarget(redirectURI)
	if !ok || t.port == 0 || len(files) == 0 {
		return nil, ErrNotLoopback
	}
	l := &Listener{target: t}
	for _, f := range files {
		socket, err := net.FileListener(f)
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("taking over a socket: %w", err)
		}
		tcp, ok := socket.(*net.TCPListener)
		if !ok {
			socket.Close()
			l.Close()
			return nil, errors.New("taking over a socket: it is not one of TCP")
		}
		l.sockets = append(l.sockets, tcp)
		if at := tcp.Addr().(*net.TCPAddr); at.Port != t.port || !at.IP.IsLoopback() {
			l.Close()
			return nil, fmt.Errorf("taking over a socket: it listens at %v", at)
		}
	}
	return l, nil
}
