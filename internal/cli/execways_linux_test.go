package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/usherauth/usher/sandbox"
)

// installLoggedIn is an installation with a login to "here", and its token.
func installLoggedIn(t *testing.T, cfg sandbox.Config) (*installation, string) {
	t.Helper()
	cfg.Approve, cfg.AutoAfterPolls = sandbox.ApproveAuto, -1
	i := install(t)
	i.env["GORACE"] = hurry
	i.sandbox(cfg)
	i.must("login", "here")
	return i, strings.TrimSpace(i.must("token", "here"))
}

// hurry keeps programs with the race detector from waiting a second before they
// end.
const hurry = "atexit_sleep_ms=0"

// ways are the ways in which a command runs: as what usher has become, with and
// without an attendant beside it.
var ways = map[string][]string{
	"variable": {"exec", "here", "--"},
	"number":   {"exec", "--fd", "7=here", "--"},
	"file":     {"exec", "--file", "AT=here", "--refresh", "--"},
}

// inAllWays runs a test with each of them, in an installation like i.
func inAllWays(t *testing.T, i *installation, test func(t *testing.T, i *installation, run []string)) {
	for name, run := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := install(t)
			own.env["GORACE"] = hurry
			if err := os.CopyFS(filepath.Dir(own.dir), os.DirFS(filepath.Dir(i.dir))); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(own.dir, 0o700); err != nil {
				t.Fatal(err)
			}
			test(t, own, run)
		})
	}
}

// startStubborn starts the stubborn command and reads what it says first.
func (i *installation) startStubborn(run []string, with func(*exec.Cmd)) (*process, stubborn) {
	i.t.Helper()
	args := []string{self(i.t), asStubborn}
	if len(run) > 0 {
		args = slices.Concat(args[:1], run, args)
	}
	cmd := exec.Command(args[0], args[1:]...)
	if with != nil {
		with(cmd)
	}
	p := i.launch(cmd)
	var first stubborn
	p.line(&first)
	return p, first
}

// order has a stubborn command end.
func (p *process) order(exit int) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.in, "exit %d\n", exit); err != nil {
		p.t.Fatal(err)
	}
}

// processes are the ids of all processes that there are.
func processes(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("%d processes, %v", len(dirs), err)
	}
	for i := range dirs {
		dirs[i] = filepath.Base(dirs[i])
	}
	return dirs
}

// childrenOf are the processes whose parent pid is.
func childrenOf(t *testing.T, pid int) (children []string) {
	t.Helper()
	for _, p := range processes(t) {
		status, _ := os.ReadFile(filepath.Join("/proc", p, "status"))
		if strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", pid)) {
			children = append(children, p)
		}
	}
	return children
}
