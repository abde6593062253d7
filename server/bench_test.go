package server_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/server"
)

// busyBroker answers auth/status with four pending logins, and counts nothing.
type busyBroker struct {
	*fakeBroker
	status api.AuthStatus
}

func (b *busyBroker) AuthStatus(context.Context) (api.AuthStatus, error) { return b.status, nil }

func newBusyBroker() *busyBroker {
	b := &busyBroker{fakeBroker: newFake(), status: api.AuthStatus{
		Providers:                    []api.AuthProvider{{Kind: "auth_provider", Status: "ok", ProviderID: "github", ExpiresAt: 1795289081241, AccountAlias: "acct-3f9a2c"}},
		SupportedDeviceFlowProviders: []string{"github", "gitlab", "google", "microsoft", "qwen-oauth"},
	}}
	for i := range 4 {
		b.status.PendingDeviceFlows = append(b.status.PendingDeviceFlows, api.PendingDeviceFlow{
			DeviceFlowID: flowID[:len(flowID)-1] + strconv.Itoa(i), ProviderID: "qwen-oauth", ExpiresAt: 1795289081241,
		})
	}
	return b
}

// discard is a ResponseWriter that keeps the header alone.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkStatusOverTCP compares auth/status with a handler that does nothing
// but write the same bytes, each over one connection that is kept alive. The
// two take turns, so that both have the same share of a busy machine; of their
// times, the medians are reported and the part of the bare one's rate that is
// left.
func BenchmarkStatusOverTCP(b *testing.B) {
	s := newServer(b, server.Config{Broker: newBusyBroker(), Workspace: "/home/ada/work"})
	answer := serve(s.Handler(tcpAddr, false), authorized("GET", "/workspace/auth/status", "")).Body.Bytes()
	bare := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", compatJSON)
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		_, _ = w.Write(answer)
	})}
	ours, theirs := newAsker(b), newAsker(b)
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error)
	go func() { stopped <- s.Serve(ctx, server.Listener{Listener: ours.Listener}) }()
	go func() { _ = bare.Serve(theirs.Listener) }()
	for b.Loop() {
		ours.ask(b, len(answer))
		theirs.ask(b, len(answer))
	}
	b.ReportMetric(float64(ours.median()), "ns/request")
	b.ReportMetric(float64(theirs.median()), "bare-ns/request")
	b.ReportMetric(float64(theirs.median())/float64(ours.median()), "of-bare")
	stop()
	_ = bare.Close()
	if err := <-stopped; err != nil {
		b.Error(err)
	}
}

// An asker asks a server on its listener, over and over on one connection.
type asker struct {
	net.Listener
	conn net.Conn
	r    *bufio.Reader
	took []time.Duration
}

func newAsker(b *testing.B) *asker {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return &asker{Listener: l, conn: conn, r: bufio.NewReader(conn)}
}

// ask waits for a whole answer with a body of n bytes.
func (a *asker) ask(b *testing.B, n int) {
	began := time.Now()
	_, err := io.WriteString(a.conn, "GET /workspace/auth/status HTTP/1.1\r\nHost: "+a.Addr().String()+"\r\nAuthorization: Bearer "+bearer+"\r\n\r\n")
	if err != nil {
		b.Fatal(err)
	}
	resp, err := http.ReadResponse(a.r, nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatal(resp, err)
	}
	if got, err := io.Copy(io.Discard, resp.Body); got != int64(n) || err != nil {
		b.Fatal(got, err)
	}
	a.took = append(a.took, time.Since(began))
}

func (a *asker) median() time.Duration {
	slices.Sort(a.took)
	return a.took[len(a.took)/2]
}

// BenchmarkGates is what one request costs in this package, from the first gate
// to the last byte of its answer, but for net/http and the broker.
func BenchmarkGates(b *testing.B) {
	requests := map[string]*http.Request{
		"status":       authorized("GET", "/workspace/auth/status", ""),
		"flow":         authorized("GET", "/workspace/auth/device-flow/"+flowID, "", "X-Qwen-Client-Id", "cli-A"),
		"unauthorized": request("GET", "/workspace/auth/status", ""),
		"page":         authorized("GET", "/workspace/auth/status", "", "Origin", "https://app.example"),
	}
	for name, r := range requests {
		b.Run(name, func(b *testing.B) {
			h := handler(b, server.Config{
				Broker: newBusyBroker(), Workspace: "/home/ada/work", AllowedOrigins: []string{"https://app.example"},
				RateLimit: &server.RateLimit{Read: 1 << 30},
			})
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(discard{}, r)
			}
		})
	}
}
