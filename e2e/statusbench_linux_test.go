package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	statusPath    = "/workspace/auth/status"
	statusConns   = 16 // of each load
	statusPending = 4
)

// BenchmarkAuthStatus compares the daemon's answers to auth/status, asked with
// the bearer while four logins are pending, with those of a bare net/http
// server that writes the same bytes. Each is a process of its own, and so is
// who asks, over connections that are kept alive. The two take turns of a
// second, ten each, so that both have the same share of a busy machine. Of
// their rates the medians and the best are reported, and what a request costs
// each in processor time.
func BenchmarkAuthStatus(b *testing.B) {
	h := idleHome(b)
	pendingLogins(b, h)
	h.begin(b)
	token := h.bearer(b)
	for range statusPending {
		h.startLogin(b, token)
	}
	body := h.status(b, token)
	daemon := &load{address: h.address, bearer: token, pid: h.process.Pid}
	bare := bareServer(b, body)
	rounds, turn := 10, time.Second
	if testing.Short() {
		rounds, turn = 1, 20*time.Millisecond
	}
	for range b.N {
		daemon.prepare(b, len(body))
		bare.prepare(b, len(body))
		for range rounds {
			daemon.run(b, turn)
			bare.run(b, turn)
		}
	}
	b.Logf("requests/s of the daemon: %.0f", daemon.rates)
	b.Logf("requests/s of the bare server: %.0f", bare.rates)
	b.ReportMetric(median(daemon.rates), "req/s")
	b.ReportMetric(median(bare.rates), "bare-req/s")
	b.ReportMetric(slices.Max(daemon.rates), "best-req/s")
	b.ReportMetric(slices.Max(bare.rates), "bare-best-req/s")
	b.ReportMetric(daemon.cost(), "cpu-us/req")
	b.ReportMetric(bare.cost(), "bare-cpu-us/req")
	b.ReportMetric(0, "ns/op")
	h.end(b)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// A load is a server that is asked, and what came of it.
type load struct {
	address, bearer string
	pid             int

	conns    []net.Conn
	request  []byte
	answer   int // bytes
	requests int64
	ticks    int64
	rates    []float64
}

// prepare opens the connections and learns how long an answer with a body of n
// bytes is.
func (l *load) prepare(b *testing.B, n int) {
	b.Helper()
	l.request = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", statusPath, l.address, l.bearer)
	for range statusConns {
		conn, err := net.Dial("tcp", l.address)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { conn.Close() })
		l.conns = append(l.conns, conn)
		if _, err := conn.Write(l.request); err != nil {
			b.Fatal(err)
		}
		var seen counter
		resp, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &seen)), nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Fatal(resp, err)
		}
		if got, err := io.Copy(io.Discard, resp.Body); got != int64(n) || err != nil {
			b.Fatalf("%d bytes, want %d: %v", got, n, err)
		}
		l.answer = int(seen)
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// run asks for a while.
func (l *load) run(b *testing.B, turn time.Duration) {
	b.Helper()
	var (
		wg       sync.WaitGroup
		answered atomic.Int64
		over     atomic.Bool
	)
	ticks, began := l.used(b), time.Now()
	for _, conn := range l.conns {
		wg.Go(func() {
			n, buf := int64(0), make([]byte, l.answer)
			for ; !over.Load(); n++ {
				if _, err := conn.Write(l.request); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(conn, buf); err != nil || !bytes.HasPrefix(buf, []byte("HTTP/1.1 200 OK\r\n")) {
					b.Errorf("%q: %v", buf, err)
					return
				}
			}
			answered.Add(n)
		})
	}
	time.Sleep(turn)
	over.Store(true)
	wg.Wait()
	l.rates = append(l.rates, float64(answered.Load())/time.Since(began).Seconds())
	l.requests += answered.Load()
	l.ticks += l.used(b) - ticks
}

// used is the processor time of the server so far, in ticks of 10 ms (proc(5)).
func (l *load) used(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var sum int64
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += n
	}
	return sum
}

// cost is the processor time of a request in microseconds.
func (l *load) cost() float64 { return float64(l.ticks) * 10_000 / float64(max(l.requests, 1)) }

// bareServer starts the server that writes body and nothing else.
func bareServer(b *testing.B, body []byte) *load {
	b.Helper()
	program := filepath.Join(b.TempDir(), "bareserver")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", program, "./bareserver").CombinedOutput(); err != nil {
		b.Fatalf("building bareserver: %v\n%s", err, out)
	}
	cmd := exec.Command(program, "application/json; charset=utf-8")
	cmd.Stdin = bytes.NewReader(body)
	line := output(b, cmd)
	return &load{address: line, bearer: "unused-" + strings.Repeat("x", 36), pid: cmd.Process.Pid}
}

// output starts cmd, which is killed in the end, and returns its first line.
func output(b *testing.B, cmd *exec.Cmd) string {
	b.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("%v: %v", cmd.Args, err)
	}
	return strings.TrimSpace(line)
}

// pendingLogins gives h a provider whose logins nobody approves.
func pendingLogins(b *testing.B, h *idler) {
	b.Helper()
	box := exec.Command(binary, "sandbox", "--listen", "127.0.0.1:0", "--interval", "5")
	box.Env = h.env()
	var told struct{ Issuer string }
	if err := json.Unmarshal([]byte(output(b, box)), &told); err != nil {
		b.Fatal(err)
	}
	add := exec.Command(binary, "provider", "add", "here", "--issuer", told.Issuer, "--client-id", "bench")
	add.Env = h.env()
	if out, err := add.CombinedOutput(); err != nil {
		b.Fatalf("adding the provider: %v\n%s", err, out)
	}
}

// startLogin starts a login of an account of its own.
func (h *idler) startLogin(b *testing.B, bearer string) {
	b.Helper()
	h.logins++
	body := fmt.Sprintf(`{"providerId":"here/%d"}`, h.logins)
	if got := h.ask(b, bearer, http.MethodPost, "/workspace/auth/device-flow", body); !bytes.Contains(got, []byte("userCode")) {
		b.Fatalf("starting a login: %s", got)
	}
}

// status is the body of auth/status, with all logins that were started in it.
func (h *idler) status(b *testing.B, bearer string) []byte {
	b.Helper()
	body := h.ask(b, bearer, http.MethodGet, statusPath, "")
	if got := bytes.Count(body, []byte("deviceFlowId")); got != h.logins {
		b.Fatalf("%d logins are pending, want %d: %s", got, h.logins, body)
	}
	return body
}

func (h *idler) ask(b *testing.B, bearer, method, path, body string) []byte {
	b.Helper()
	r, err := http.NewRequest(method, "http://"+h.address+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	return text
}

func (h *idler) bearer(b *testing.B) string {
	b.Helper()
	text, err := os.ReadFile(filepath.Join(h.base, "data", "server-token"))
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
