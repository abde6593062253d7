package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkAttendant measures what usher login --no-wait costs without a daemon:
// the whole command, from exec to its end, and the resident memory of the process
// that it leaves, a second after.
func BenchmarkAttendant(b *testing.B) {
	h := idleHome(b)
	issuer := h.sandbox(b)
	h.run(b, "provider", "add", "here", "--issuer", issuer, "--client-id", "agent")
	var took []time.Duration
	var worst int
	for b.Loop() {
		began := time.Now()
		line := h.run(b, "login", "here", "--no-wait", "--json")
		took = append(took, time.Since(began))
		b.StopTimer()
		var left lineOfLogin
		if err := json.Unmarshal(line, &left); err != nil {
			b.Fatalf("%s: %v", line, err)
		}
		time.Sleep(time.Second) // what is measured is what is left then
		pid := attendantOf(b, left.ID)
		worst = max(worst, residentOf(b, pid))
		h.run(b, "login", "cancel", left.ID)
		awaitEnd(b, pid) // which looks for the cancelling in the home, so not after that is gone
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(worst)/(1<<20), "MB-resident")
	b.ReportMetric(0, "ns/op")
}

// awaitEnd waits until the process is gone.
func awaitEnd(b *testing.B, pid int) {
	b.Helper()
	for range 3000 {
		// One that has ended and that nobody has asked about has no words left.
		if words, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err != nil || len(words) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatalf("process %d goes on", pid)
}

// run runs a command to its end and returns its standard output.
func (h *idler) run(b *testing.B, args ...string) []byte {
	b.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = h.env()
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("usher %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// sandbox starts a sandbox that nobody approves at, and returns its issuer.
func (h *idler) sandbox(b *testing.B) string {
	b.Helper()
	cmd := exec.Command(binary, "sandbox", "--listen", "127.0.0.1:0", "--interval", "1")
	cmd.Env = h.env()
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		b.Fatal(err)
	}
	var at struct{ Issuer string }
	if err := json.Unmarshal(line, &at); err != nil {
		b.Fatal(err)
	}
	return at.Issuer
}

// attendantOf is the process that attends the login id.
func attendantOf(b *testing.B, id string) int {
	b.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		b.Fatal(err)
	}
	for _, dir := range all {
		pid := pidOf(dir)
		if args := arguments(pid); slices.Contains(args, "login-attend") && slices.Contains(args, id) {
			return pid
		}
	}
	b.Fatalf("nobody attends %s", id)
	return 0
}
