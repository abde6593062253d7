//go:build unix

package cli

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServeDocument runs every command of docs/serve.md in one shell, as a
// reader would who works through it from top to bottom. Two programs are played
// by the test, because they reach beyond the machine or its first process: ssh
// and systemctl. The port alone is another one than in the text.
func TestServeDocument(t *testing.T) {
	t.Parallel()
	blocks := consoleBlocks(t, "../../docs/serve.md")
	if len(blocks) < 8 {
		t.Fatalf("found %d console blocks", len(blocks))
	}
	r := newReader(t)
	for _, block := range blocks {
		for _, command := range block {
			r.follow(command)
		}
	}
	for name, done := range map[string]bool{"a tunnel": r.tunnelled, "systemd": r.manager != nil} {
		if !done {
			t.Errorf("the document has no command for %s", name)
		}
	}
}

// consoleBlocks are the commands of the console blocks in a document, without
// the prompt. Every line of such a block is a command, or goes on with one.
func consoleBlocks(t *testing.T, path string) (blocks [][]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "```console\n")[1:] {
		body, _, closed := strings.Cut(part, "```\n")
		if !closed {
			t.Fatalf("a block has no end: %q", part)
		}
		commands := strings.Split("\n"+strings.TrimSpace(body), "\n$ ")[1:]
		if len(commands) == 0 {
			t.Errorf("a block has no command: %q", body)
		}
		blocks = append(blocks, commands)
	}
	return blocks
}

// A reader follows the document in a shell.
type reader struct {
	t         *testing.T
	home      *installation
	port      string
	shell     *exec.Cmd
	in        io.WriteCloser
	out       *bufio.Reader
	err       *safeBuffer
	serving   bool // the shell has a daemon in the background
	tunnelled bool
	manager   *manager // systemd, once the units are enabled
	daemon    *process // of the manager
	units     string   // where they are copied to
}

func newReader(t *testing.T) *reader {
	t.Helper()
	base := filepath.Dir(install(t).dir)
	bin := filepath.Join(base, "bin")
	r := &reader{t: t, port: freePort(t), err: &safeBuffer{}, units: filepath.Join(base, ".config/systemd/user")}
	r.home = &installation{t: t, dir: filepath.Join(base, ".local/share/usher"), env: map[string]string{
		"HOME": base, "PATH": bin + ":" + os.Getenv("PATH"),
		// What the machine of the test sets must not lead elsewhere.
		"USHER_HOME": "", "USHER_CONFIG": "", "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "XDG_RUNTIME_DIR": "",
	}}
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self(t), filepath.Join(bin, "usher")); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(base, ".config/usher/config.toml")
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, config, "[serve]\nlisten = \"127.0.0.1:"+r.port+"\"\n")
	// Each status goes to standard error, for the test to see.
	write(t, filepath.Join(base, ".curlrc"), "silent\nshow-error\nwrite-out = \"%{stderr}\\nstatus=%{http_code}\\n\"\n")
	for name, script := range map[string]string{
		"ssh": `case "$*" in
"-f -N -L ` + r.port + `:127.0.0.1:` + r.port + ` box") touch ~/tunnel ;;
"box cat "*) shift; cd && exec "$@" ;;
*) echo "ssh does not know: $*" >&2; exit 1 ;;
esac
`,
		"systemctl": `echo "$*" > ~/systemctl`,
	} {
		path := filepath.Join(bin, name)
		write(t, path, "#!/bin/sh\n"+script)
		if err := os.Chmod(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	r.tunnel(filepath.Join(base, "tunnel"))
	r.logIn()
	r.start()
	return r
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// logIn makes the provider that the document talks about, and a credential.
func (r *reader) logIn() {
	r.home.sandbox(auto) // as "here"
	providers := filepath.Join(r.home.env["HOME"], ".config/usher/providers")
	if err := os.Rename(filepath.Join(providers, "here.toml"), filepath.Join(providers, "corp.toml")); err != nil {
		r.t.Fatal(err)
	}
	r.home.must("login", "corp")
}

// tunnel carries connections from the other loopback address to the daemon as
// soon as the file is there: what ssh -L does on one machine for another.
func (r *reader) tunnel(file string) {
	l, err := net.Listen("tcp", "[::1]:"+r.port)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := os.Stat(file); err != nil {
				_ = from.Close()
				continue
			}
			to, err := net.Dial("tcp", "127.0.0.1:"+r.port)
			if err != nil {
				_ = from.Close()
				continue
			}
			go func() { _, _ = io.Copy(to, from) }()
			go func() {
				_, _ = io.Copy(from, to)
				_ = from.Close()
				_ = to.Close()
			}()
		}
	}()
}

func (r *reader) start() {
	r.shell = exec.Command("sh")
	r.shell.Dir = "../.."
	r.shell.Env = r.home.environ()
	r.shell.Stderr = r.err
	r.shell.WaitDelay = 5 * time.Second // what it left in the background holds the pipe
	var err error
	if r.in, err = r.shell.StdinPipe(); err != nil {
		r.t.Fatal(err)
	}
	out, err := r.shell.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	r.out = bufio.NewReader(out)
	if err := r.shell.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		r.stopServing()
		_ = r.in.Close()
		_ = r.shell.Wait()
		if r.t.Failed() {
			r.t.Logf("the shell said:\n%s", r.err.String())
		}
	})
}

// run has the shell run a command and returns what it printed.
func (r *reader) run(command string) string {
	r.t.Helper()
	const end = "that was it: "
	if _, err := fmt.Fprintf(r.in, "%s\nprintf '\\n%s%%d\\n' $?\n", command, end); err != nil {
		r.t.Fatal(err)
	}
	var printed strings.Builder
	for {
		line, err := r.out.ReadString('\n')
		if err != nil {
			r.t.Fatalf("%s: %v\n%s", command, err, r.err.String())
		}
		if code, ended := strings.CutPrefix(line, end); ended {
			if code != "0\n" {
				r.t.Errorf("%s: exit %s%s", command, code, printed.String())
			}
			return strings.TrimSpace(printed.String())
		}
		printed.WriteString(line)
	}
}

// follow runs a command of the document and waits until it has done its work.
func (r *reader) follow(command string) {
	r.t.Helper()
	command = strings.ReplaceAll(command, "4170", r.port)
	said := len(r.err.String())
	recent := func() string { return r.err.String()[said:] }
	switch {
	case strings.HasPrefix(command, "usher serve"):
		if !strings.HasSuffix(command, "&") {
			r.t.Fatalf("%s: it would never return", command)
		}
		r.stopServing()
		said = len(r.err.String())
		r.run(command)
		r.serving = true
		eventually(r.t, command, func() bool { return strings.Contains(recent(), "usher daemon listening on") })
	case strings.HasPrefix(command, "curl -N"):
		// A stream lasts until the reader has seen enough.
		if got := r.run(command + " --max-time 1 || [ $? = 28 ]"); !strings.HasPrefix(got, "retry: ") && !strings.HasPrefix(got, ":") {
			r.t.Errorf("%s: the stream begins %q", command, got)
		}
	case strings.HasPrefix(command, "systemctl"):
		r.stopServing()
		r.run(command)
		r.systemctl(strings.TrimSpace(r.run("cat ~/systemctl")))
	default:
		r.run(command)
	}
	if strings.Contains(command, "curl") {
		eventually(r.t, command+": a status", func() bool { return regexp.MustCompile(`status=\d+\n`).MatchString(recent()) })
	}
	for _, code := range regexp.MustCompile(`status=(\d+)`).FindAllStringSubmatch(recent(), -1) {
		if code[1][0] != '2' {
			r.t.Errorf("%s: status %s", command, code[1])
		}
	}
	switch {
	case strings.HasPrefix(command, "ssh -f"):
		r.tunnelled = true
	case strings.HasPrefix(command, "kill -HUP"):
		eventually(r.t, command, func() bool { return strings.Contains(recent(), "has read the providers again") })
	}
}

func (r *reader) stopServing() {
	if r.serving {
		r.serving = false
		r.run("kill $! && wait $!")
	}
}

// systemctl does what systemd would, by the units that were copied.
func (r *reader) systemctl(args string) {
	r.t.Helper()
	switch args {
	case "--user daemon-reload":
		for _, name := range []string{"usher.service", "usher.socket"} {
			r.unit(name)
		}
	case "--user enable --now usher.socket usher.service":
		var addresses []string
		for _, address := range r.unit("usher.socket")["ListenStream"] {
			address = strings.ReplaceAll(address, "%t", filepath.Dir(r.units))
			addresses = append(addresses, strings.ReplaceAll(address, "4170", r.port))
		}
		r.manager = r.home.managerOf(addresses...)
		r.startService()
	case "--user restart usher.service":
		r.daemon.signal(syscall.SIGTERM)
		if code, _ := r.daemon.wait(); code != 0 {
			r.t.Errorf("the service ended with %d", code)
		}
		r.startService()
	case "--user reload usher.service":
		if got := r.unit("usher.service")["ExecReload"]; len(got) != 1 || got[0] != "kill -HUP $MAINPID" {
			r.t.Errorf("ExecReload=%q", got)
		}
		r.daemon.signal(syscall.SIGHUP)
		r.manager.hears("^RELOADING=1\n", "^$")
		r.manager.hears("^READY=1", "^$")
	default:
		r.t.Errorf("systemctl %s: not known to this test", args)
	}
}

func (r *reader) startService() {
	r.t.Helper()
	start := r.unit("usher.service")["ExecStart"]
	if len(start) != 1 || !strings.HasPrefix(start[0], "usher serve") {
		r.t.Fatalf("ExecStart=%q", start)
	}
	r.daemon = r.manager.startDaemon(strings.Fields(start[0])[2:]...)
	r.manager.hears("^READY=1\n", "^STOPPING=1")
}

func (r *reader) unit(name string) map[string][]string {
	r.t.Helper()
	return readUnit(r.t, filepath.Join(r.units, name))
}

// readUnit reads a unit file: the values of each setting, in their order
// (systemd.syntax(7), as far as ours use it).
func readUnit(t *testing.T, path string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "[") {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		if !found || strings.HasSuffix(value, `\`) {
			t.Errorf("%s: %q is no setting", path, line)
		}
		settings[name] = append(settings[name], value)
	}
	return settings
}
