package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkDaemonStart measures a start of the daemon: from exec to the first
// 200 of /health, on a data folder that is there, as at every start but the
// first.
func BenchmarkDaemonStart(b *testing.B) {
	h := idleHome(b)
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		h.begin(b)
		took = append(took, time.Since(began))
		b.StopTimer()
		h.end(b)
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(took[0].Microseconds())/1000, "ms-best")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkDaemonIdle measures the resident memory of a daemon that has been
// left alone for a second.
func BenchmarkDaemonIdle(b *testing.B) {
	h := idleHome(b)
	var worst int
	for b.Loop() {
		h.begin(b)
		time.Sleep(time.Second) // what is measured is what is left then
		worst = max(worst, h.resident(b))
		h.end(b)
	}
	b.ReportMetric(float64(worst)/(1<<20), "MB-resident")
	b.ReportMetric(0, "ns/op")
}

// An idler is a home whose daemon nobody uses.
type idler struct {
	base, address string
	process       *os.Process
	logins        int // started
}

func (h *idler) env() []string {
	return []string{"HOME=" + h.base, "USHER_HOME=" + filepath.Join(h.base, "data"), "USHER_CONFIG=" + filepath.Join(h.base, "config.toml")}
}

func idleHome(b *testing.B) *idler {
	b.Helper()
	base, err := os.MkdirTemp("", "ui")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(base) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	h := &idler{base: base, address: l.Addr().String()}
	b.Cleanup(func() {
		if h.process != nil {
			h.process.Kill()
			h.process.Wait()
		}
	})
	l.Close()
	h.begin(b) // makes the data folder
	h.end(b)
	return h
}

// begin starts the daemon and returns when it has answered.
func (h *idler) begin(b *testing.B) {
	b.Helper()
	var err error
	h.process, err = os.StartProcess(binary, []string{"usher", "serve", "--listen", h.address}, &os.ProcAttr{
		Env: h.env(),
	})
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(20 * time.Second); ; {
		resp, err := client.Get("http://" + h.address + "/health")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				b.Fatalf("/health: %s", resp.Status)
			}
			return
		}
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// end stops the daemon and waits for it.
func (h *idler) end(b *testing.B) {
	b.Helper()
	if err := h.process.Signal(os.Interrupt); err != nil {
		b.Fatal(err)
	}
	if state, err := h.process.Wait(); err != nil || !state.Success() {
		b.Fatalf("the daemon ended with %v, %v", state, err)
	}
	h.process = nil
}

// resident is the resident memory of the daemon in bytes.
func (h *idler) resident(b *testing.B) int {
	b.Helper()
	return residentOf(b, h.process.Pid)
}

// residentOf is the resident memory of a process in bytes (proc(5)).
func residentOf(b *testing.B, pid int) int {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kilobytes, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.Atoi(kilobytes)
	if err != nil {
		b.Fatal(err)
	}
	return n << 10
}
