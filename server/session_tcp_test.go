package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/server"
	"github.com/usherauth/usher/session"
)

// stream opens the stream of a session over TCP.
func stream(t *testing.T, addr, id string) (net.Conn, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /session/%s/events?maxQueued=16 HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", id, addr, bearer)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, resp
}

// waitForPlaces polls until n more streams of a session may be opened.
func waitForPlaces(t *testing.T, h *session.Hub, id string, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		var subs []*session.Subscription
		for range session.MaxSubscribers {
			s, err := h.Subscribe(id, session.Options{})
			if err != nil {
				break
			}
			subs = append(subs, s)
		}
		for _, s := range subs {
			s.Close()
		}
		if len(subs) == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d places are free, want %d", len(subs), n)
		}
	}
}

func TestSessionStreamOverTCP(t *testing.T) {
	fake := newFake()
	r := run(t, server.Config{Broker: fake})
	id := newSession(t, fake.hub)
	conn, resp := stream(t, r.addr, id)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("X-Qwen-Event-Epoch") != fake.hub.Epoch() {
		t.Errorf("answer = %s %v", resp.Status, resp.Header)
	}
	if diff := cmp.Diff([]string{"chunked"}, resp.TransferEncoding); diff != "" || resp.Header.Get("Connection") != "keep-alive" || resp.Header.Get("Date") == "" {
		t.Errorf("framing (-want +got):\n%s, header %v", diff, resp.Header)
	}
	publishCancelled(fake.hub, "f-1")
	lines := bufio.NewScanner(resp.Body)
	for _, want := range []string{"retry: 3000", "", "id: 1", "event: auth_device_flow_cancelled"} {
		if lines.Scan(); lines.Text() != want {
			t.Errorf("line %q, want %q", lines.Text(), want)
		}
	}
	waitForPlaces(t, fake.hub, id, session.MaxSubscribers-1)
	conn.Close()
	waitForPlaces(t, fake.hub, id, session.MaxSubscribers)
}

// Clients that are gone before the stream begins take no place in it.
func TestSessionStreamOfAClientThatIsGone(t *testing.T) {
	fake := newFake()
	r := run(t, server.Config{Broker: fake})
	id := newSession(t, fake.hub)
	for range 4 * session.MaxSubscribers {
		c := r.dial(t, "GET /session/"+id+"/events HTTP/1.1\r\nHost: $A\r\nAuthorization: Bearer "+bearer+"\r\n\r\n")
		_ = c.(*net.TCPConn).SetLinger(0) // a reset, so that writing fails
		c.Close()
	}
	waitForPlaces(t, fake.hub, id, session.MaxSubscribers)
}

// However many sessions have streams, requests find a connection.
func TestT34_SessionStreamsLeaveRoom(t *testing.T) {
	const most = 8
	fake := newFake()
	r := run(t, server.Config{Broker: fake, MaxConnections: most})
	var last net.Conn // that follows
	for i := range most {
		conn, resp := stream(t, r.addr, newSession(t, fake.hub))
		if i < most/2 {
			if resp.StatusCode != 200 {
				t.Errorf("stream %d: %s", i, resp.Status)
			}
			last = conn
			continue
		}
		want := `{"error":"EventBus subscriber limit reached (4)","code":"subscriber_limit_exceeded","limit":4}`
		if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 429 || string(body) != want || resp.Header.Get("Retry-After") != "5" {
			t.Errorf("stream %d: %s %s, %v", i, resp.Status, body, err)
		}
		conn.Close()
	}
	if status, _ := r.raw(t, "GET /health HTTP/1.1\r\nHost: $A\r\n\r\n"); status != "200 OK" {
		t.Errorf("status = %q", status)
	}
	last.Close()
	id := newSession(t, fake.hub)
	for deadline := time.Now().Add(20 * time.Second); ; {
		if _, resp := stream(t, r.addr, id); resp.StatusCode == 200 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a stream that ended has not left its place to another one")
		}
	}
}

// HTTP/1.0 knows no chunks: the stream ends with the connection.
func TestSessionStreamOverHTTP10(t *testing.T) {
	fake := newFake()
	r := run(t, server.Config{Broker: fake})
	id := newSession(t, fake.hub)
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /session/%s/events HTTP/1.0\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", id, r.addr, bearer)
	waitForPlaces(t, fake.hub, id, session.MaxSubscribers-1)
	fake.hub.Delete(id)
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasSuffix(string(got), "\r\n\r\nretry: 3000\n\n") || strings.Contains(string(got), "chunked") {
		t.Errorf("answer = %q, %v", got, err)
	}
}

// A stop delivers what settling caused, and then ends the streams whole.
func TestStopDeliversToSessions(t *testing.T) {
	fake := newFake()
	r := run(t, server.Config{Broker: fake, Drain: func() { publishCancelled(fake.hub, "settled") }})
	id := newSession(t, fake.hub)
	_, resp := stream(t, r.addr, id)
	r.stop()
	got, err := io.ReadAll(resp.Body) // an error if the last chunk is missing
	if err != nil || strings.Count(string(got), `"deviceFlowId":"settled"`) != 1 {
		t.Errorf("stream = %q, %v", got, err)
	}
	if err := r.wait(t); err != nil {
		t.Errorf("Serve = %v", err)
	}
}

// A client that does not read at all holds up neither the others nor a stop.
func TestStopWithAClientThatDoesNotRead(t *testing.T) {
	fake := newFake()
	r := run(t, server.Config{Broker: fake})
	id := newSession(t, fake.hub)
	conn, _ := stream(t, r.addr, id)
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	waitForPlaces(t, fake.hub, id, session.MaxSubscribers-1)
	// More than the kernel takes.
	began := time.Now()
	for range 200 {
		publishCancelled(fake.hub, strings.Repeat("x", 100<<10))
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Errorf("Serve = %v", err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("publishing and stopping took %v", took)
	}
}
