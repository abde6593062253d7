package credentialtest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
)

// childEnv carries a [job] to a child process.
const childEnv = "USHER_CREDENTIALTEST_CHILD"

// job is what a child process is to do. It says "ready", waits for a line on
// its standard input, works, and prints its results one a line. It ends when
// the standard input does, so that it never outlives the test.
type job struct {
	Role string
	Dir  string
	Name string // tells children apart
	N    int    // how often
}

// ChildMain does the work of a child process of [RunShared] and exits, if this
// process is one; otherwise it returns at once. Call it first thing in the
// TestMain of a package that uses RunShared. open opens the store in a
// directory.
func ChildMain(open func(dir string) (credential.Store, error)) {
	text := os.Getenv(childEnv)
	if text == "" {
		return
	}
	if err := runChild(text, open); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runChild(text string, open func(dir string) (credential.Store, error)) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	work := map[string]func(worker) error{
		"rotate": worker.rotate, "settle": worker.settle, "hold": worker.hold,
		"own": worker.own, "create": worker.create, "read": worker.read,
		"supersede": worker.supersede, "logout": worker.logout,
	}[j.Role]
	if work == nil {
		return fmt.Errorf("unknown role %q", j.Role)
	}
	store, err := open(j.Dir)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	input := bufio.NewScanner(os.Stdin)
	input.Scan() // go
	stop := make(chan struct{})
	go func() {
		if input.Scan() {
			close(stop)
			input.Scan()
		}
		os.Exit(2) // the parent is gone
	}()
	return work(worker{fixture{store, context.Background()}, j, stop})
}

// child is a child process, seen from the test.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Scanner
	stderr *strings.Builder
	waited bool
}

// childLimit is far more than any child needs: it ends a test that hangs.
const childLimit = 2 * time.Minute

// spawn starts a child and waits until it is ready. It does not work yet.
func spawn(t *testing.T, j job) *child {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), childLimit)
	t.Cleanup(cancel)
	c := &child{cmd: exec.CommandContext(ctx, self), stderr: new(strings.Builder)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	c.cmd.Stderr = c.stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdout = bufio.NewScanner(stdout)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !c.waited {
			c.kill(t)
		}
	})
	if got := c.line(t); got != "ready" {
		t.Fatalf("child says %q, want ready; does TestMain call ChildMain?", got)
	}
	return c
}

// tell sends a line: the first lets the child work, the second stops it.
func (c *child) tell(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c.stdin, text+"\n"); err != nil {
		t.Fatal(err)
	}
}

// line returns the next line the child prints.
func (c *child) line(t *testing.T) string {
	t.Helper()
	if !c.stdout.Scan() {
		c.rest()
		t.Fatalf("child ended early: %v\n%s", c.wait(), c.stderr)
	}
	return c.stdout.Text()
}

// rest returns the lines up to the child's end.
func (c *child) rest() []string {
	var lines []string
	for c.stdout.Scan() {
		lines = append(lines, c.stdout.Text())
	}
	return lines
}

// finish returns the remaining lines of a child that must end well.
func (c *child) finish(t *testing.T) []string {
	t.Helper()
	lines := c.rest()
	if err := c.wait(); err != nil {
		t.Errorf("child: %v\n%s", err, c.stderr)
	}
	return lines
}

// kill ends the child by SIGKILL and returns the lines it had printed.
func (c *child) kill(t *testing.T) []string {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	lines := c.rest()
	_ = c.wait() // it was killed, which is an error
	return lines
}

func (c *child) wait() error {
	c.waited = true
	return c.cmd.Wait()
}
