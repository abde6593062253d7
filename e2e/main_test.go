// Package e2e drives the built usher binary against other people's OAuth
// servers and clients, and watches the real processes. It sees usher only as a
// user does: by its command line, files and sockets.
//
// All traffic with a daemon is held against docs/api/openapi.yaml by package
// apispec. A run of all tests fails if anything that the document describes was
// not seen.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/usherauth/usher/e2e/apispec"
)

// binary is the built usher, the same for all tests. A test that runs itself in
// another process hands it over in builtVariable.
var binary = os.Getenv(builtVariable)

const builtVariable = "USHER_E2E_BINARY"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "usher-e2e-")
	if err != nil {
		return complain(err)
	}
	defer os.RemoveAll(dir)
	if spec, err = apispec.Load("../docs/api/openapi.yaml"); err != nil {
		return complain(err)
	}
	if binary == "" {
		binary = filepath.Join(dir, "usher")
		if err := build(binary); err != nil {
			return complain(err)
		}
	}
	// The tests wait for clocks and not for the processor.
	flag.Parse()
	if !given("test.parallel") {
		if err := flag.Set("test.parallel", "8"); err != nil {
			return complain(err)
		}
	}
	code := m.Run()
	deviations.Lock()
	defer deviations.Unlock()
	for _, deviation := range deviations.all {
		code = complain(deviation)
	}
	unseen := slices.DeleteFunc(spec.Unseen(), func(what string) bool { return slices.Contains(unseenHere, what) })
	if code == 0 && len(unseen) > 0 && everything() {
		code = complain(fmt.Errorf("docs/api/openapi.yaml describes what no test has seen:\n\t%s", strings.Join(unseen, "\n\t")))
	}
	return code
}

// build builds usher as it is released: static and without paths of this machine.
func build(program string) error {
	build := exec.Command("go", "build", "-trimpath", "-o", program, "./cmd/usher")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building usher: %w\n%s", err, out)
	}
	return nil
}

// unseenHere are the events that a client gets who lags behind by more than the
// kernel's buffers hold; the tests of package session make them.
var unseenHere = []string{"sessionEvents event client_evicted", "sessionEvents event slow_client_warning"}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}

// given reports whether a flag stands on the command line.
func given(name string) (found bool) {
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// everything reports whether no test was left out by the flags of go test.
func everything() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return true
}
