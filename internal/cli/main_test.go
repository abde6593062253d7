package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/sandbox"
)

// asUsher makes the test binary the program itself, for tests that need real
// processes and signals.
const asUsher = "USHER_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asStubborn {
		os.Exit(beStubborn())
	}
	if os.Getenv(asUsher) == "1" {
		os.Exit(Main(context.Background(), os.Args[1:], Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv}))
	}
	// A shell that runs the tests in the background has them ignore this
	// signal, which their children would inherit.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	os.Exit(m.Run())
}

// installation is one person's usher: a data folder and a configuration.
type installation struct {
	t   *testing.T
	dir string // USHER_HOME
	env map[string]string
}

func install(t *testing.T) *installation {
	t.Helper()
	// Short, because a socket's path is bounded.
	base, err := os.MkdirTemp("", "uc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	dir := filepath.Join(base, "data")
	return &installation{t: t, dir: dir, env: map[string]string{
		"USHER_HOME": dir, "USHER_CONFIG": filepath.Join(base, "config.toml"), "HOME": base,
	}}
}

// result is what a command left.
type result struct {
	code     int
	out, err string
}

// run runs a command in this process.
func (i *installation) run(args ...string) result {
	i.t.Helper()
	return i.runContext(i.t.Context(), args...)
}

func (i *installation) runContext(ctx context.Context, args ...string) result {
	i.t.Helper()
	var out, err bytes.Buffer
	code := Main(ctx, args, Stdio{
		In: strings.NewReader(""), Out: &out, Err: &err,
		Getenv: func(name string) string { return i.env[name] },
	})
	return result{code, out.String(), err.String()}
}

// must runs a command that has to succeed and returns its standard output.
func (i *installation) must(args ...string) string {
	i.t.Helper()
	r := i.run(args...)
	if r.code != 0 {
		i.t.Fatalf("usher %v: exit %d\nstdout: %s\nstderr: %s", args, r.code, r.out, r.err)
	}
	return r.out
}

// sandbox starts an authorization server and makes it the provider "here".
func (i *installation) sandbox(cfg sandbox.Config) *sandbox.Server {
	i.t.Helper()
	cfg.Interval = 1
	s, err := sandbox.New(cfg)
	if err != nil {
		i.t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	i.t.Cleanup(srv.Close)
	if err := s.SetIssuer(srv.URL); err != nil {
		i.t.Fatal(err)
	}
	i.must("provider", "add", "here", "--issuer", srv.URL, "--client-id", "test",
		"--scope", "openid", "--scope", "offline_access")
	return s
}

// auto approves at the first poll.
var auto = sandbox.Config{Approve: sandbox.ApproveAuto, AutoAfterPolls: -1}

// process is a command in a process of its own.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Reader
	err   safeBuffer
}

// start starts a command in a process of its own.
func (i *installation) start(args ...string) *process {
	i.t.Helper()
	return i.launch(exec.Command(self(i.t), args...))
}

// self is the test binary, which is the program to whoever has environ.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// environ is the environment of a process of this installation.
func (i *installation) environ() []string {
	env := append(os.Environ(), asUsher+"=1", "USHER_SERVER_TOKEN=", "QWEN_SERVER_TOKEN=")
	for name, value := range i.env {
		env = append(env, name+"="+value)
	}
	return env
}

// launch starts cmd, which runs the program in the end.
func (i *installation) launch(cmd *exec.Cmd) *process {
	i.t.Helper()
	return i.launchAt(cmd, nil)
}

// launchAt is launch with standard error elsewhere, unless that is nil.
func (i *installation) launchAt(cmd *exec.Cmd, stderr io.Writer) *process {
	i.t.Helper()
	p := &process{t: i.t, cmd: cmd}
	cmd.Env = append(i.environ(), cmd.Env...)
	if cmd.Stderr = stderr; stderr == nil {
		cmd.Stderr = &p.err
	}
	var err error
	if cmd.Stdin == nil {
		if p.in, err = p.cmd.StdinPipe(); err != nil {
			i.t.Fatal(err)
		}
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		i.t.Fatal(err)
	}
	p.lines = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
		if i.t.Failed() {
			i.t.Logf("%v said:\n%s", p.cmd.Args[1:], p.err.String())
		}
	})
	return p
}

// line decodes the next line of standard output into v.
func (p *process) line(v any) {
	p.t.Helper()
	text, err := p.lines.ReadBytes('\n')
	if err != nil {
		p.t.Fatalf("%v: no line on stdout: %v\nstderr: %s", p.cmd.Args[1:], err, p.err.String())
	}
	if err := json.Unmarshal(text, v); err != nil {
		p.t.Fatalf("%v: %q: %v", p.cmd.Args[1:], text, err)
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait returns the exit code, and what was left on standard output.
func (p *process) wait() (int, string) {
	p.t.Helper()
	kill := time.AfterFunc(60*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	rest, _ := io.ReadAll(p.lines)
	_ = p.cmd.Wait() // the code says it
	return p.cmd.ProcessState.ExitCode(), string(rest)
}

// safeBuffer is a buffer that may be read while a process writes to it.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// eventually waits until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// serve starts a daemon as a process and waits until it listens.
func (i *installation) serve(args ...string) (*process, daemonFile) {
	i.t.Helper()
	p := i.start(append([]string{"serve", "--listen", "127.0.0.1:0", "--json"}, args...)...)
	var f daemonFile
	p.line(&f)
	return p, f
}

// pendingLogin starts `usher login here` as a process and returns the login.
func (i *installation) pendingLogin(args ...string) (*process, api.Login) {
	i.t.Helper()
	p := i.start(append([]string{"login", "here", "--json"}, args...)...)
	var l api.Login
	p.line(&l)
	if l.Status != api.LoginPending || l.UserCode == "" {
		i.t.Fatalf("first line of login: %+v", l)
	}
	return p, l
}
