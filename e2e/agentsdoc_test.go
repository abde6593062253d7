package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAgentsDocument runs every command of docs/agents.md in one shell, from top
// to bottom, and wants what the document says that they print. The person is
// played by the test, who reads the link where the document hands it over.
func TestAgentsDocument(t *testing.T) {
	t.Parallel()
	for _, daemon := range []bool{false, true} {
		t.Run(fmt.Sprintf("daemon %v", daemon), func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			a := &agent{t: t, h: h, box: h.box("--interval", "1"), dir: t.TempDir()}
			h.must("provider", "add", "example", "--issuer", a.box.issuer, "--client-id", "agent", "--scope", "openid", "--scope", "offline_access")
			if daemon {
				h.serve()
			}
			a.startShell()
			steps := sessionOf(t, "../docs/agents.md")
			for _, s := range steps {
				a.follow(s)
			}
			for name, done := range map[string]bool{"approved": a.approved, "denied": a.denied, "expired": a.expired} {
				if !done {
					t.Errorf("no login of the document is %s", name)
				}
			}
			a.leave()
			h.wantNothingLeft()
		})
	}
}

// A step of a session in a document: a command, and what it prints.
type step struct{ command, prints string }

// sessionOf reads the console blocks of a document: a command stands behind "$ ",
// goes on behind "> ", and is followed by what it prints.
func sessionOf(t *testing.T, path string) (steps []step) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "```console\n")[1:] {
		block, _, closed := strings.Cut(part, "```\n")
		if !closed || !strings.HasPrefix(block, "$ ") {
			t.Fatalf("no session: %q", block)
		}
		for line := range strings.Lines(block) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				steps = append(steps, step{command: command})
				continue
			}
			last := &steps[len(steps)-1]
			if more, ok := strings.CutPrefix(line, "> "); ok {
				last.command += more
			} else {
				last.prints += line
			}
		}
	}
	return steps
}

// An agent follows the document in a shell.
type agent struct {
	t                         *testing.T
	h                         *home
	box                       *box
	dir                       string
	in                        io.Writer
	out                       *bufio.Reader
	leave                     func() // ends the shell
	approved, denied, expired bool
}

func (a *agent) startShell() {
	a.t.Helper()
	bin := filepath.Join(a.dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		a.t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(bin, "usher")); err != nil {
		a.t.Fatal(err)
	}
	cmd := a.h.command("sh")
	cmd.Dir = a.dir
	cmd.Env = append(cmd.Env, "PATH="+bin+":"+os.Getenv("PATH"))
	printed, prints, err := os.Pipe()
	if err != nil {
		a.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = prints, prints
	in, err := cmd.StdinPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	prints.Close()
	a.in, a.out = in, bufio.NewReader(printed)
	a.leave = sync.OnceFunc(func() { endShell(a.t, cmd, in); printed.Close() })
	a.t.Cleanup(a.leave)
}

func endShell(t *testing.T, cmd *exec.Cmd, in io.Closer) {
	in.Close()
	kill := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer kill.Stop()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the shell: %v", err)
	}
}

// follow runs a step, after what the person does by then.
func (a *agent) follow(s step) {
	a.t.Helper()
	switch strings.TrimSpace(s.command) {
	case `usher login wait example --timeout 60s; echo "exit $?"`:
		a.box.approve(a.code())
		a.approved = true
	case "await_login example/denied 60s":
		a.box.deny(a.code())
		a.denied = true
	case "await_login example/late 60s":
		a.box.post("/_sandbox/expire", `{"device_codes":true}`)
		a.expired = true
	}
	got := a.run(strings.ReplaceAll(s.command, "https://id.example.com", a.box.issuer))
	if diff := cmp.Diff(general(s.prints), general(strings.ReplaceAll(got, a.box.issuer, "https://id.example.com"))); diff != "" {
		a.t.Errorf("$ %sprints (-document +now):\n%s", s.command, diff)
	}
}

// code is the code that the agent has handed over.
func (a *agent) code() string {
	a.t.Helper()
	text, err := os.ReadFile(filepath.Join(a.dir, "login"))
	if err != nil {
		a.t.Fatal(err)
	}
	code := regexp.MustCompile(`(?m)^code: (.+)$`).FindSubmatch(text)
	if code == nil {
		a.t.Fatalf("no code in %q", text)
	}
	return string(code[1])
}

// run has the shell run a command, and returns what it prints.
func (a *agent) run(command string) string {
	a.t.Helper()
	const end = "that was it"
	if _, err := fmt.Fprintf(a.in, "{\n%s\n} </dev/null\necho '%s'\n", command, end); err != nil {
		a.t.Fatal(err)
	}
	var printed strings.Builder
	for {
		line, err := a.out.ReadString('\n')
		if err != nil {
			a.t.Fatalf("%s: %v\n%s", command, err, printed.String())
		}
		if line == end+"\n" {
			return printed.String()
		}
		printed.WriteString(line)
	}
}

// general is text without what is another one each time.
func general(text string) string {
	for _, v := range []struct {
		form *regexp.Regexp
		name string
	}{
		{regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`), "ID"},
		{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},
		{regexp.MustCompile(`\b[B-Z]{4}-[B-Z]{4}\b`), "CODE"},
		{regexp.MustCompile(`\bacct-[a-z0-9]{6}\b`), "ALIAS"},
		{regexp.MustCompile(`\b(59|60|9|10) minutes\b|\b\d+ (s|min)\b`), "SPAN"},
		{regexp.MustCompile(`\S+@\S+`), "USER"},
		{regexp.MustCompile(` +`), " "},
	} {
		text = v.form.ReplaceAllString(text, v.name)
	}
	return text
}
