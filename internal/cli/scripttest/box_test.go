//go:build unix

package scripttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/sandbox"
)

// box is the sandbox of one run. It lives in the test's own process, so that
// the test can ask it directly.
type box struct {
	sandbox *sandbox.Server
	address string       // of the listener; kept while it is off the network
	release func() error // gives the port back that is held meanwhile; nil while it is on
	server  *http.Server
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
	return s.SetIssuer("http://" + b.address)
}

func (b *box) up() error {
	if b.release != nil {
		if err := b.release(); err != nil {
			return err
		}
		b.release = nil
	}
	l, err := net.Listen("tcp", b.address)
	if err != nil {
		return err
	}
	b.address = l.Addr().String()
	b.server = &http.Server{Handler: b.sandbox}
	go b.server.Serve(l)
	return nil
}

// down takes the sandbox off the network: connections are refused.
func (b *box) down() (err error) {
	if err := b.server.Close(); err != nil {
		return err
	}
	b.release, err = holdPort(b.address)
	return err
}

func (b *box) close() {
	if b.server != nil {
		b.server.Close()
	}
	if b.release != nil {
		_ = b.release()
	}
}

// configure turns NAME=VALUE words into a configuration:
//
//	approve=manual|auto|deny   after=POLLS (of auto and deny, default none)
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
