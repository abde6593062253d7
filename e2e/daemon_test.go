package e2e

import (
	"cmp"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/usherauth/usher/e2e/apispec"
	"github.com/usherauth/usher/e2e/oidcprovider"
)

// spec is the document of the daemon's interface, and what was seen of it.
var spec *apispec.Spec

// deviations collects what the daemon did against the document.
var deviations struct {
	sync.Mutex
	all []error
}

func deviates(err error) {
	deviations.Lock()
	defer deviations.Unlock()
	deviations.all = append(deviations.all, err)
}

// serve starts the daemon and returns when it answers. Whoever wants to reach
// it, by TCP or by the socket, goes through a proxy that holds the traffic
// against the document. A prefix puts a tracer before the daemon.
func (h *home) serve(prefix ...string) {
	h.t.Helper()
	argv := append(prefix, cmp.Or(h.built, binary), "serve", "--listen", "127.0.0.1:0", "--json")
	argv = append(argv, h.flags...)
	h.daemon = h.start(h.command(argv[0], argv[1:]...))
	reached := decode[struct{ Listen, Socket string }](h.t, h.daemon.line())
	go h.daemon.rest()
	if h.tcp == nil {
		h.tcp = h.proxy("tcp", "127.0.0.1:0")
	}
	h.tcp.Forward("tcp", strings.TrimPrefix(reached.Listen, "http://"))
	oidcprovider.Poll(h.t, "the daemon's socket", func() bool {
		c, err := net.Dial("unix", reached.Socket)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
	// The socket goes on to work under another name, and leaves its own to the
	// proxy, which is the same user's as the daemon.
	h.name = reached.Socket
	if err := os.Rename(h.name, h.moved()); err != nil {
		h.t.Fatal(err)
	}
	h.socket = h.proxy("unix", h.name)
	h.socket.Forward("unix", h.moved())
}

func (h *home) moved() string { return filepath.Join(h.dir, "moved.sock") }

// gone takes note of the daemon's end. The socket file that the next one finds
// is the daemon's own: the proxy's may still have a listener for a moment, in a
// child that this process has forked and that has not become another program yet.
func (h *home) gone() {
	h.t.Helper()
	h.socket.Close()
	if err := os.Rename(h.moved(), h.name); err != nil {
		h.t.Error(err)
	}
	h.daemon = nil
}

func (h *home) proxy(network, address string) *apispec.Proxy {
	h.t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		h.t.Fatal(err)
	}
	if l, ok := l.(*net.UnixListener); ok {
		l.SetUnlinkOnClose(false) // the next daemon's may be there by then
	}
	p := spec.Proxy(l, deviates)
	h.t.Cleanup(p.Close)
	return p
}

// url is where clients find the daemon; it stays the same over a restart.
func (h *home) url() string { return h.tcp.URL() }

// bearer is the daemon's token.
func (h *home) bearer() string {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, "server-token"))
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// stop ends the daemon gracefully, if there is one.
func (h *home) stop() {
	h.t.Helper()
	if h.daemon == nil {
		return
	}
	h.daemon.terminate()
	if r := h.daemon.wait(); r.code != exitOK {
		h.t.Errorf("the daemon ended with %d: %s", r.code, r.stderr)
	}
	h.gone()
}

// crash ends the daemon with kill -9.
func (h *home) crash() {
	h.t.Helper()
	h.daemon.kill()
	h.killed()
}

// killed waits for the end of a daemon that is killed.
func (h *home) killed() {
	h.t.Helper()
	if h.daemon.wait(); h.daemon.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		h.t.Errorf("the daemon ended by itself: %v", h.daemon.cmd.ProcessState)
	}
	h.gone()
}
