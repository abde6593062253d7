package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/server"
)

// A running server on a loopback port.
type running struct {
	addr string
	stop context.CancelFunc
	done chan error // what Serve returned
}

func run(t *testing.T, c server.Config) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{l.Addr().String(), cancel, make(chan error, 1)}
	s := newServer(t, c)
	go func() { r.done <- s.Serve(ctx, server.Listener{Listener: l}) }()
	t.Cleanup(func() {
		cancel()
		for range r.done {
			return
		}
	})
	return r
}

// wait returns what Serve returned.
func (r *running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.done:
		close(r.done)
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("Serve has not returned")
		return nil
	}
}

// raw sends text as it stands, with $A for the address, and returns the answer's
// status line and body, both empty if the connection was just closed.
func (r *running) raw(t *testing.T, text string) (status, body string) {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, strings.ReplaceAll(text, "$A", r.addr)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("reading the answer to %q: %v", text, err)
	}
	return resp.Status, string(b)
}

// T02: names that a page can have rebound to this machine, as they come over
// the wire.
func TestT02_HostileHostsOverTCP(t *testing.T) {
	fake := newFake()
	r := run(t, server.Config{Broker: fake})
	_, port, err := net.SplitHostPort(r.addr)
	if err != nil {
		t.Fatal(err)
	}
	const auth = "\r\nAuthorization: Bearer " + bearer + "\r\n\r\n"
	const forbidden, bad = "403 Forbidden", "400 Bad Request"
	tests := map[string]struct{ request, status string }{
		"good":                             {"GET /v1/credentials HTTP/1.1\r\nHost: $A" + auth, "200 OK"},
		"other name":                       {"GET /v1/credentials HTTP/1.1\r\nHost: evil.test" + auth, forbidden},
		"other name with the port":         {"GET /v1/credentials HTTP/1.1\r\nHost: evil.test:" + port + auth, forbidden},
		"wildcard DNS":                     {"GET /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1.nip.io:" + port + auth, forbidden},
		"trailing dot":                     {"GET /v1/credentials HTTP/1.1\r\nHost: localhost.:" + port + auth, forbidden},
		"empty":                            {"GET /v1/credentials HTTP/1.1\r\nHost:" + auth, forbidden},
		"missing":                          {"GET /v1/credentials HTTP/1.1" + auth, bad},
		"missing in HTTP/1.0":              {"GET /v1/credentials HTTP/1.0" + auth, forbidden},
		"twice":                            {"GET /v1/credentials HTTP/1.1\r\nHost: $A\r\nHost: evil.test" + auth, bad},
		"twice, other order":               {"GET /v1/credentials HTTP/1.1\r\nHost: evil.test\r\nHost: $A" + auth, bad},
		"absolute form, another host":      {"GET http://evil.test/v1/credentials HTTP/1.1\r\nHost: $A" + auth, forbidden},
		"absolute form, another host sent": {"GET http://$A/v1/credentials HTTP/1.1\r\nHost: evil.test" + auth, forbidden},
		"unspecified address":              {"GET /v1/credentials HTTP/1.1\r\nHost: 0.0.0.0:" + port + auth, forbidden},
		"user before the host":             {"GET /v1/credentials HTTP/1.1\r\nHost: x@$A" + auth, bad},
		"even for health":                  {"GET /health HTTP/1.1\r\nHost: evil.test\r\n\r\n", forbidden},
		"asterisk form":                    {"OPTIONS * HTTP/1.1\r\nHost: evil.test\r\n\r\n", forbidden},
		"asterisk form without a token":    {"OPTIONS * HTTP/1.1\r\nHost: $A\r\n\r\n", "401 Unauthorized"},
		"authority form":                   {"CONNECT $A HTTP/1.1\r\nHost: $A" + auth, forbidden},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			status, body := r.raw(t, tt.request)
			if !strings.HasPrefix(status, tt.status) {
				t.Errorf("status = %q, want %q", status, tt.status)
			}
			if !strings.HasPrefix(body, "{") {
				t.Errorf("body is not JSON: %q", body)
			}
		})
	}
	if got := fmt.Sprint(fake.calls()); got != "[Credentials]" {
		t.Errorf("the broker was asked: %s", got)
	}
}

// D10 and the contract: what net/http cannot parse is refused in JSON too, and
// the daemon goes on.
func TestD10_MalformedRequests(t *testing.T) {
	fake := newFake()
	r := run(t, server.Config{Broker: fake})
	const head = " HTTP/1.1\r\nHost: $A\r\nAuthorization: Bearer " + bearer + "\r\n"
	const encoding, malformed = `{"error":"Malformed URL encoding","code":"invalid_request"}`, `{"error":"Malformed request","code":"invalid_request"}`
	tests := map[string]struct{ request, status, body string }{
		"cut escape":                  {"GET /workspace/auth/device-flow/%E0%A4%A" + head + "\r\n", "400 Bad Request", encoding},
		"escape of other letters":     {"GET /workspace/auth/device-flow/%zz" + head + "\r\n", "400 Bad Request", encoding},
		"two lengths":                 {"POST /v1/token" + head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "400 Bad Request", malformed},
		"negative length":             {"POST /v1/token" + head + "Content-Length: -1\r\n\r\n{}", "400 Bad Request", malformed},
		"unknown transfer encoding":   {"POST /v1/token" + head + "Transfer-Encoding: x\r\n\r\n{}", "501 Not Implemented", malformed},
		"space before the colon":      {"GET /v1/credentials" + head + "Origin : http://evil.test\r\n\r\n", "400 Bad Request: invalid header name", malformed},
		"line without a colon":        {"GET /v1/credentials" + head + "evil\r\n\r\n", "400 Bad Request", malformed},
		"control character in header": {"GET /v1/credentials" + head + "X: a\x00b\r\n\r\n", "400 Bad Request", malformed},
		"no version":                  {"GET /v1/credentials\r\n\r\n", "400 Bad Request", malformed},
		"HTTP/2 preface":              {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "403 Forbidden", `{"error":"Invalid Host header"}`},
		"1 MiB of header":             {"GET /v1/credentials" + head + "X: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", "431 Request Header Fields Too Large", malformed},
		"17 KiB and a bit of header":  {"GET /v1/credentials" + head + "X: " + strings.Repeat("a", 21<<10) + "\r\n\r\n", "431 Request Header Fields Too Large", malformed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(tt.status, "431") {
				// Sent while the answer is on its way; a reset may win.
				status, body := r.rawUnlessReset(t, tt.request)
				if status != "" && (status != tt.status || body != tt.body) {
					t.Errorf("got %q %s", status, body)
				}
				return
			}
			if status, body := r.raw(t, tt.request); status != tt.status || body != tt.body {
				t.Errorf("got  %q %s\nwant %q %s", status, body, tt.status, tt.body)
			}
		})
	}
	// What is smuggled behind another request's body passes the gates by itself.
	status, _ := r.raw(t, "POST /v1/token"+head+"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/credentials HTTP/1.1\r\nHost: $A\r\n\r\n")
	if !strings.HasPrefix(status, "4") {
		t.Errorf("length and chunks: %q", status)
	}
	if calls := fake.calls(); len(calls) != 0 {
		t.Errorf("the broker was asked: %q", calls)
	}
	if status, _ := r.raw(t, "GET /health"+head+"\r\n"); status != "200 OK" {
		t.Errorf("afterwards: %q", status)
	}
}

// rawUnlessReset is raw for requests that are longer than what is read of them.
func (r *running) rawUnlessReset(t *testing.T, text string) (status, body string) {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	go io.WriteString(c, strings.ReplaceAll(text, "$A", r.addr))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", ""
	}
	return resp.Status, string(b)
}

func TestServeRefuses(t *testing.T) {
	listen := func(addr string) net.Listener {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if err := newServer(t, server.Config{}).Serve(t.Context()); err == nil {
		t.Error("serving on no listener: no error")
	}
	open := listen("0.0.0.0:0")
	if err := newServer(t, server.Config{NoAuth: true}).Serve(t.Context(), server.Listener{Listener: open}); err == nil {
		t.Error("serving without a token on all addresses: no error")
	}
	if _, err := open.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the refused listener is still open: %v", err)
	}
	closed := listen("127.0.0.1:0")
	closed.Close()
	drained := false
	err := newServer(t, server.Config{Drain: func() { drained = true }}).Serve(t.Context(), server.Listener{Listener: closed})
	if err == nil || !drained {
		t.Errorf("serving on a closed listener: %v, drained %v", err, drained)
	}
}

// The order of stopping: nothing new is accepted, long polls answer, what is in
// flight settles, and the streams deliver what that causes before they end.
func TestGracefulStop(t *testing.T) {
	fake := newFake()
	polled, asked, settled := make(chan struct{}), make(chan struct{}), make(chan struct{})
	fake.wait = func(ctx context.Context, _ string) (api.Login, error) {
		close(polled)
		<-ctx.Done()
		return pendingLogin(), api.Errorf(api.CodeLoginPending, "pending")
	}
	fake.token = func(context.Context) (api.Token, error) {
		close(asked)
		<-settled // a rotation that is on its way
		return api.Token{AccessToken: "rotated"}, nil
	}
	draining, go_on := make(chan struct{}), make(chan struct{})
	r := run(t, server.Config{Broker: fake, Drain: func() {
		close(draining)
		<-go_on
		fake.log.Append(api.Event{Type: api.EventCredentialRefreshed})
		close(settled)
	}})

	get := func(method, path, body string) (*http.Response, error) {
		req, err := http.NewRequest(method, "http://"+r.addr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
		req.Header.Set("Content-Type", "application/json")
		return http.DefaultTransport.RoundTrip(req)
	}
	var requests sync.WaitGroup
	expect := func(method, path, body, want string) {
		requests.Go(func() {
			resp, err := get(method, path, body)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil || !strings.Contains(string(b), want) {
				t.Errorf("%s: %s, %v, want %s", path, b, err, want)
			}
		})
	}
	stream, err := get("GET", "/v1/events", "")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	expect("GET", "/v1/logins/l-1?wait=60s", "", `"status":"pending"`)
	expect("POST", "/v1/token", `{"key":"github"}`, "rotated")
	<-polled
	<-asked

	r.stop()
	<-draining
	if c, err := net.Dial("tcp", r.addr); err == nil {
		c.Close()
		t.Error("connected while stopping")
	}
	close(go_on)
	b, err := io.ReadAll(stream.Body)
	if err != nil || !strings.Contains(string(b), "event: credential.refreshed\n") {
		t.Errorf("stream = %q, %v, want the last event and a proper end", b, err)
	}
	requests.Wait()
	if err := r.wait(t); err != nil {
		t.Errorf("Serve = %v", err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	fake := newFake()
	asked := make(chan struct{}, server.MaxConnections)
	fake.wait = func(ctx context.Context, _ string) (api.Login, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return pendingLogin(), api.Errorf(api.CodeLoginPending, "pending")
	}
	r := run(t, server.Config{Broker: fake})
	// Connections that are being answered take the places; the first of them
	// that goes away makes room.
	var polls []net.Conn
	for range server.MaxConnections {
		polls = append(polls, r.dial(t, "GET /v1/logins/l-1?wait=60s HTTP/1.1\r\nHost: $A\r\nConnection: close\r\nAuthorization: Bearer "+bearer+"\r\n\r\n"))
	}
	for range polls {
		<-asked
	}
	late := r.dial(t, "GET /health HTTP/1.1\r\nHost: $A\r\n\r\n")
	_ = late.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, err := late.Read(make([]byte, 1)); n != 0 || !isTimeout(err) {
		t.Fatalf("one more than the bound: read %d, %v", n, err)
	}
	polls[0].Close()
	_ = late.SetReadDeadline(time.Now().Add(10 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(late), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 {
		t.Errorf("status = %d", resp.StatusCode)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
