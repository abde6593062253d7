//go:build unix

package scripttest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/usherauth/usher/sandbox"
)

// box is the sandbox of one run. It lives in the test's own process, so that
// the test can ask it directly.
type box struct {
	sandbox *sandbox.Server
	address string // of the listener; kept while it is off the network
	server  *http.Server
	held    int // a socket that keeps the port while it is off the network
}

// open starts a sandbox.
func (b *box) open(cfg sandbox.Config) error {
	s, err := sandbox.New(cfg)
	if err != nil {
		return err
	}
	b.sandbox, b.address = s, "127.0.0.1:0"
	if err := b.up(); err != nil {
		return err
	}
	if b.held, err = holdPort(b.address); err != nil {
		return err
	}
	return s.SetIssuer("http://" + b.address)
}

func (b *box) up() error {
	l, err := (&net.ListenConfig{Control: sharePort}).Listen(context.Background(), "tcp", b.address)
	if err != nil {
		return err
	}
	b.address = l.Addr().String()
	b.server = &http.Server{Handler: b.sandbox}
	go b.server.Serve(l)
	return nil
}

// down takes the sandbox off the network: connections are refused.
func (b *box) down() error { return b.server.Close() }

func (b *box) close() {
	if b.server != nil {
		b.server.Close()
	}
	if b.held != 0 {
		_ = unix.Close(b.held)
	}
}

// holdPort makes a socket that is bound to address beside the listener there,
// and does not listen itself. While the sandbox is down it keeps the port from
// being given to another one: a script beside this one would get its refresh
// tokens.
func holdPort(address string) (fd int, err error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return 0, err
	}
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err != nil {
		return 0, err
	}
	unix.CloseOnExec(fd)
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()})
	}
	if err != nil {
		_ = unix.Close(fd)
		return 0, fmt.Errorf("holding %s: %w", address, err)
	}
	return fd, nil
}

// sharePort lets a listener and the socket of holdPort have one port.
func sharePort(_, _ string, c syscall.RawConn) error {
	var optErr error
	err := c.Control(func(fd uintptr) {
		optErr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return cmp.Or(err, optErr)
}

// configure turns NAME=VALUE words into a configuration:
//
//	without=device   approve=manual|auto|deny   after=POLLS (of auto and deny, default none)
//	interval=SECONDS (default 1)   lifetime=D   code-lifetime=D
//	rotation=none|grace|strict   dialect=D   subject=S   clients=FILE   faults=FILE
//
// Files are read with read.
func configure(words []string, read func(string) []byte) (sandbox.Config, error) {
	cfg := sandbox.Config{Interval: 1, AutoAfterPolls: -1}
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return cfg, fmt.Errorf("%q is not NAME=VALUE", word)
		}
		var err error
		switch name {
		case "without":
			if cfg.WithoutDevice = value == "device"; !cfg.WithoutDevice {
				err = fmt.Errorf("cannot be left out")
			}
		case "approve":
			cfg.Approve = sandbox.ApproveMode(value)
		case "after":
			cfg.AutoAfterPolls, err = strconv.Atoi(value)
		case "interval":
			cfg.Interval, err = strconv.Atoi(value)
		case "lifetime":
			cfg.TokenLifetime, err = time.ParseDuration(value)
		case "code-lifetime":
			cfg.CodeLifetime, err = time.ParseDuration(value)
		case "rotation":
			cfg.Rotation = sandbox.Rotation(value)
		case "dialect":
			cfg.Dialect = sandbox.Dialect(value)
		case "subject":
			cfg.Subject = value
		case "clients":
			cfg.Clients, err = sandbox.ParseClients(read(value))
		case "faults":
			cfg.Faults, err = sandbox.ParseFaults(read(value))
		default:
			err = fmt.Errorf("unknown setting")
		}
		if err != nil {
			return cfg, fmt.Errorf("%s: %w", word, err)
		}
	}
	return cfg, nil
}

// numbers are the numbers of the record by name: its JSON members and the
// counts by endpoint. Without a sandbox there are none.
func (b *box) numbers() map[string]int {
	if b.sandbox == nil {
		return map[string]int{}
	}
	r := b.sandbox.Record()
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // a plain struct
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		panic(err)
	}
	n := map[string]int{}
	for name, value := range members {
		if f, ok := value.(float64); ok {
			n[name] = int(f)
		}
	}
	maps.Copy(n, r.Counts)
	return n
}
