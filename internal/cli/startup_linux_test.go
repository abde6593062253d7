package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkTokenCommand measures "usher token KEY" as a whole process, with a
// good token in the data folder and no daemon, which is what scripts and agents
// run before each of their requests. Beside it, in turns, run programs that do
// nothing: an empty one, one that links net/http, and one that links cobra and
// the TOML library besides.
func BenchmarkTokenCommand(b *testing.B) {
	bin := b.TempDir()
	build := func(name, pkg string) string {
		b.Helper()
		built := filepath.Join(bin, name+".built")
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", built, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("building %s: %v\n%s", pkg, err, out)
		}
		return installed(b, built, filepath.Join(bin, name))
	}
	usher := build("usher", "../../cmd/usher")
	logIn(b, usher)
	commands := []string{
		build("empty", "./testdata/startup/empty"),
		build("nethttp", "./testdata/startup/nethttp"),
		build("cobra", "./testdata/startup/cobra"),
		usher + " token bench",
	}
	rounds := "200"
	if testing.Short() {
		rounds = "3"
	}
	measure := append([]string{build("measure", "./testdata/startup/measure"), rounds}, commands...)
	var results []started
	for b.Loop() {
		results = runs(b, measure)
	}
	for i, name := range []string{"empty-", "nethttp-", "cobra-", "usher-"} {
		b.ReportMetric(results[i].Wall.Seconds()*1000, name+"ms")
		b.ReportMetric(float64(results[i].Wall)/float64(results[0].Wall), name+"x")
		b.ReportMetric(float64(results[i].Peak)/(1<<20), name+"peak-MiB")
	}
	b.ReportMetric(0, "ns/op")
}

// started is what measure says of one command.
type started struct {
	Wall, CPU time.Duration
	Peak      int64
}

func runs(b *testing.B, measure []string) (results []started) {
	b.Helper()
	out, err := exec.Command(measure[0], measure[1:]...).Output()
	if err != nil {
		b.Fatal(err)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var one started
		if err := dec.Decode(&one); err != nil {
			b.Fatal(err)
		}
		results = append(results, one)
	}
	return results
}

// installed copies a program that was built, as installing it does: the linker
// leaves its file in the page cache in small pieces, and mapping those costs as
// much again as the rest of a start.
func installed(b *testing.B, from, to string) string {
	b.Helper()
	if out, err := exec.Command("cp", from, to).CombinedOutput(); err != nil {
		b.Fatalf("cp: %v\n%s", err, out)
	}
	return to
}

// logIn logs in to "bench" at a sandbox that is gone afterwards.
func logIn(b *testing.B, usher string) {
	b.Helper()
	home := b.TempDir()
	b.Setenv("USHER_HOME", filepath.Join(home, "data"))
	b.Setenv("USHER_CONFIG", filepath.Join(home, "config.toml"))
	box := exec.Command(usher, "sandbox", "--listen", "127.0.0.1:0", "--approve", "auto", "--interval", "1", "--token-lifetime", "24h")
	stdout, err := box.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := box.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = box.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, stdout)
		if err := box.Wait(); err != nil {
			b.Errorf("the sandbox ended with %v", err)
		}
	}()
	var begun struct {
		Issuer string `json:"issuer"`
	}
	if err := json.NewDecoder(stdout).Decode(&begun); err != nil {
		b.Fatal(err)
	}
	for _, args := range []string{"provider add bench --client-id bench --issuer " + begun.Issuer, "login bench"} {
		if out, err := exec.Command(usher, strings.Fields(args)...).CombinedOutput(); err != nil {
			b.Fatalf("usher %s: %v\n%s", args, err, out)
		}
	}
}
