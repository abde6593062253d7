// Package oidcprovider runs npm oidc-provider, an independent certified
// authorization server, for the tests, and approves its logins the way a
// person with a browser does, by its HTML forms. Start first.
//
// Facts of the server that matter to a client: it sends no interval in the
// device authorization, never answers slow_down, does not check PKCE in the
// device grant, rotates refresh tokens, and answers a replayed one with
// invalid_grant, revoking the whole family.
package oidcprovider

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options change the server's lifetimes. Zero means the server's default.
type Options struct {
	AccessTokenTTL  time.Duration // whole seconds, default 1 h
	DeviceCodeTTL   time.Duration // whole seconds, default 10 min
	RefreshTokenTTL time.Duration // whole seconds, default 24 h
}

// A Server is a running oidc-provider. It knows the public client "cli", which
// may use the device grant and refresh.
type Server struct {
	Issuer string

	mu     sync.Mutex
	record []Entry
}

// An Entry is one thing that the server saw. Which fields are set depends on
// Event; see provider.mjs.
type Entry struct {
	Event     string `json:"event"` // "request", "grant.success", "grant.error", "grant.revoked", ...
	GrantType string `json:"grant_type"`
	Error     string `json:"error"`  // OAuth error code
	Detail    string `json:"detail"` // the server's reason, not sent to the client
	Method    string `json:"method"`
	Path      string `json:"path"`
	Status    int    `json:"status"`
}

// Grant types as they stand in the record.
const (
	DeviceGrant  = "urn:ietf:params:oauth:grant-type:device_code"
	RefreshGrant = "refresh_token"
)

// Start runs a server until the test ends.
func Start(t testing.TB, opts Options) *Server {
	t.Helper()
	cmd := exec.Command(Node(t), "oidcprovider/provider.mjs")
	cmd.Dir = Dir()
	cmd.Env = append(os.Environ(), "NODE_NO_WARNINGS=1",
		env("ACCESS_TOKEN_TTL", opts.AccessTokenTTL),
		env("DEVICE_CODE_TTL", opts.DeviceCodeTTL),
		env("REFRESH_TOKEN_TTL", opts.RefreshTokenTTL))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting oidc-provider: %v", err)
	}
	s := &Server{}
	lines := bufio.NewScanner(stdout)
	var first struct{ Issuer string }
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &first) != nil || first.Issuer == "" {
		stdin.Close()
		cmd.Wait()
		t.Fatalf("oidc-provider did not start: %q\n%s", lines.Text(), stderr.String())
	}
	s.Issuer = first.Issuer
	done := make(chan error, 1)
	go func() { done <- s.read(lines) }()
	t.Cleanup(func() {
		stdin.Close() // ends the server
		err := <-done
		cmd.Wait()
		if err != nil {
			t.Errorf("reading oidc-provider's record: %v", err)
		}
		if t.Failed() {
			t.Logf("oidc-provider's record: %+v\nstderr: %s", s.Record(), stderr.String())
		}
	})
	return s
}

func (s *Server) read(lines *bufio.Scanner) error {
	for lines.Scan() {
		var e Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("%q: %w", lines.Text(), err)
		}
		s.mu.Lock()
		s.record = append(s.record, e)
		s.mu.Unlock()
	}
	if err := lines.Err(); err != nil && err != io.ErrClosedPipe {
		return err
	}
	return nil
}

// Record returns what the server saw so far, oldest first. An entry may arrive
// a moment after the answer that it describes; WaitFor bridges that.
func (s *Server) Record() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Entry(nil), s.record...)
}

// Count returns the number of entries that match.
func (s *Server) Count(match func(Entry) bool) int {
	n := 0
	for _, e := range s.Record() {
		if match(e) {
			n++
		}
	}
	return n
}

// WaitFor waits until an entry matches and fails the test after half a minute.
func (s *Server) WaitFor(t testing.TB, what string, match func(Entry) bool) {
	t.Helper()
	Poll(t, what, func() bool { return s.Count(match) > 0 })
}

// Poll calls cond until it reports true and fails the test after half a minute.
func Poll(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-tick.C {
		if cond() {
			return
		}
	}
	t.Fatalf("waited 30 s in vain for: %s", what)
}

// Granted matches a token answer for the grant type.
func Granted(grantType string) func(Entry) bool {
	return func(e Entry) bool { return e.Event == "grant.success" && e.GrantType == grantType }
}

// Refused matches a token refusal for the grant type with the OAuth error code.
func Refused(grantType, code string) func(Entry) bool {
	return func(e Entry) bool {
		return e.Event == "grant.error" && e.GrantType == grantType && e.Error == code
	}
}

// Requested matches a request by method, path and status.
func Requested(method, path string, status int) func(Entry) bool {
	return func(e Entry) bool {
		return e.Event == "request" && e.Method == method && e.Path == path && e.Status == status
	}
}

// Dir returns the folder of the e2e module, where node_modules is.
func Dir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(file))
}

// Node returns the Node.js to use: the one of node_modules where the machine's
// own was too old at installation, else the machine's.
func Node(t testing.TB) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(Dir(), "node_modules", "oidc-provider")); err != nil {
		t.Fatal("the npm packages of e2e/ are not installed: run `make setup`")
	}
	own := filepath.Join(Dir(), "node_modules", ".bin", "node")
	if _, err := os.Stat(own); err == nil {
		return own
	}
	path, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("Node.js is not installed: run `make setup`")
	}
	// An older one fails later, and for reasons that are hard to read.
	if out, err := exec.Command(path, "-p", "process.versions.node.split('.')[0] >= 22").Output(); err != nil || strings.TrimSpace(string(out)) != "true" {
		t.Fatal("Node.js is older than 22: run `make setup`")
	}
	return path
}

func env(name string, d time.Duration) string {
	if d == 0 {
		return name + "="
	}
	return name + "=" + strconv.Itoa(int(d/time.Second))
}
