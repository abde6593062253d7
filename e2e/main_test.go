// Package e2e drives the built usher binary against other people's OAuth
// servers and clients, and watches the real processes. It sees usher only as a
// user does: by its command line, files and sockets.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the built usher, the same for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "usher-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "usher")
	// As it is released: static and without paths of this machine.
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/usher")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: building usher: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
