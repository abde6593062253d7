//go:build unix

package scripttest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// patience bounds every wait of a test for something that must happen.
const patience = 60 * time.Second

// A process is a running or finished usher.
type process struct {
	args           []string
	cmd            *exec.Cmd
	stdout, stderr output
	done           chan struct{} // closed at its end
}

// output is what a process wrote so far. It can be read meanwhile.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start starts program in dir with exactly the environment env and nothing on
// its standard input.
func start(program, dir string, env []string, args ...string) (*process, error) {
	return startWith(nil, program, dir, env, args...)
}

// startWith is start with input on standard input.
func startWith(input io.Reader, program, dir string, env []string, args ...string) (*process, error) {
	p := &process{args: args, cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Stdin = input
	p.cmd.Dir, p.cmd.Env = dir, env
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.WaitDelay = 5 * time.Second // a child that keeps them open must not hold up Wait
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	return p, nil
}

// wait waits for the process to end and returns its exit code, -1 if a signal
// ended it.
func (p *process) wait() (int, error) {
	select {
	case <-p.done:
	case <-time.After(patience):
		p.kill()
		return 0, fmt.Errorf("usher %v did not end in %s\nstdout: %s\nstderr: %s", p.args, patience, &p.stdout, &p.stderr)
	}
	return p.cmd.ProcessState.ExitCode(), nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// kill ends the process whatever it does; one that has ended is left alone.
func (p *process) kill() {
	if !p.ended() {
		p.cmd.Process.Kill()
		<-p.done
	}
}

// eventually waits until cond is true, and reports whether it came to be.
func eventually(cond func() bool) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if cond() {
			return true
		}
	}
	return false
}

// environment is what a process sees of this one's, beside vars.
func environment(vars ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}, vars...)
}
