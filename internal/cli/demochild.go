package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/usherauth/usher/internal/safetext"
)

// demoChild is a program that the demo has started: this one again, with other
// arguments. It ends when the pipe to its standard input closes, which the
// system does when the demo ends, however that came about.
type demoChild struct {
	name  string
	cmd   *exec.Cmd
	alive io.Closer
	said  *tail
}

// childPatience is how long a child may take to start or to end.
const childPatience = 10 * time.Second

// startChild starts this program with args and reads the first line of its
// standard output, JSON, into first.
func (d *demo) startChild(ctx context.Context, first any, args ...string) (*demoChild, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	c := &demoChild{name: args[0], cmd: exec.Command(self, append(args, "--until-eof")...), said: &tail{}}
	c.cmd.Env = d.childEnviron()
	c.cmd.Stderr = c.said
	if d.app.debug {
		c.cmd.Stderr = d.app.err
	}
	if c.alive, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.name, err)
	}
	line := make(chan []byte, 1)
	go func() {
		r := bufio.NewReader(out)
		text, _ := r.ReadBytes('\n') // a line that is cut off is no JSON
		line <- text
		_, _ = io.Copy(io.Discard, r)
	}()
	select {
	case text := <-line:
		if err := json.Unmarshal(text, first); err != nil {
			_ = c.end() // waits for its last words, which say more than its exit code
			return nil, fmt.Errorf("%s did not start: %s", c.name, c.said.last())
		}
		return c, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), c.end())
	case <-time.After(childPatience):
		return nil, errors.Join(fmt.Errorf("%s did not start in %s", c.name, childPatience), c.end())
	}
}

// end ends the child, which nobody needs any more.
func (c *demoChild) end() error {
	_ = c.alive.Close() // closing it twice is harmless
	kill := time.AfterFunc(childPatience, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%s ended with: %w", c.name, err)
	}
	return nil
}

// cleanUp ends the children and throws the data folder away.
func (d *demo) cleanUp() error {
	var errs []error
	if d.events != nil {
		d.events.stop()
	}
	for _, c := range []*demoChild{d.daemon, d.sandbox} {
		if c != nil {
			errs = append(errs, c.end())
		}
	}
	if d.home != "" {
		errs = append(errs, os.RemoveAll(d.home))
	}
	return errors.Join(errs...)
}

// childEnv reads the environment of the children: their folders lie in the
// demo's, and what is meant for the person's own daemon is not for them.
func (d *demo) childEnv(name string) string {
	switch name {
	case "USHER_HOME":
		return filepath.Join(d.home, "data")
	case "USHER_CONFIG":
		return filepath.Join(d.home, "config.toml")
	case "XDG_RUNTIME_DIR":
		return d.home // for the socket, when the path of data is too long
	case "USHER_SERVER_TOKEN", "QWEN_SERVER_TOKEN":
		return ""
	}
	return d.app.getenv(name)
}

func (d *demo) childEnviron() []string {
	env := os.Environ()
	for _, name := range []string{"USHER_HOME", "USHER_CONFIG", "XDG_RUNTIME_DIR", "USHER_SERVER_TOKEN", "QWEN_SERVER_TOKEN"} {
		env = append(env, name+"="+d.childEnv(name)) // the last one counts
	}
	if d.app.debug {
		env = append(env, "USHER_DEBUG=1")
	}
	return env
}

// tail keeps the end of what a child says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - 4<<10; over > 0 {
		t.text = t.text[over:]
	}
	return len(p), nil
}

func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return safetext.Line(strings.ReplaceAll(strings.TrimSpace(string(t.text)), "\n", "; "), 0)
}
