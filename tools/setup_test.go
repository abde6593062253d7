// Package tools_test tests the scripts of this folder.
package tools_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A machine is a folder of stub programs that stands for a machine: setup.sh
// sees nothing else on its PATH.
type machine struct {
	t    *testing.T
	tree string // a tree that looks like the repository to setup.sh
	bin  string
	log  string // calls of apt-get and npm, one a line
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	dir := t.TempDir()
	m := &machine{t: t, tree: filepath.Join(dir, "tree"), bin: filepath.Join(dir, "bin"), log: filepath.Join(dir, "log")}
	script, err := os.ReadFile("setup.sh")
	if err != nil {
		t.Fatal(err)
	}
	m.write(filepath.Join(m.tree, "tools", "setup.sh"), string(script))
	for _, folder := range []string{"e2e", "e2e/qwencode"} {
		m.write(filepath.Join(m.tree, folder, "package.json"), "{}")
		m.write(filepath.Join(m.tree, folder, "package-lock.json"), "{}")
	}
	for _, name := range []string{"bash", "dirname", "xargs", "touch", "echo", "mkdir", "ln"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(m.bin, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(m.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"gcc", "strace", "curl", "git", "kubectl", "skopeo"} {
		m.stub(name, "exit 0")
	}
	m.stub("node", "exit 0") // as it says of itself: new enough
	m.stub("npm", `echo "npm $*" >>"$LOG"; echo "${PWD##*/}: ${*:6}" >>"$LOG.installed"; mkdir -p node_modules/.bin; case "$*" in *--omit=optional*) ;; *) ln -sf "$(command -v bash)" node_modules/.bin/node ;; esac`)
	m.stub("id", "echo 1000")
	return m
}

func (m *machine) write(name, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) stub(name, body string) {
	m.t.Helper()
	m.write(filepath.Join(m.bin, name), "#!"+filepath.Join(m.bin, "bash")+"\n"+body+"\n")
}

func (m *machine) remove(name string) {
	m.t.Helper()
	if err := os.Remove(filepath.Join(m.bin, name)); err != nil {
		m.t.Fatal(err)
	}
}

// setup runs the script and returns what it said and what it called.
func (m *machine) setup() (stderr, calls string, err error) {
	cmd := exec.Command(filepath.Join(m.bin, "bash"), filepath.Join(m.tree, "tools", "setup.sh"))
	cmd.Env = []string{"PATH=" + m.bin, "LOG=" + m.log}
	var buf bytes.Buffer
	cmd.Stderr = &buf
	err = cmd.Run()
	log, _ := os.ReadFile(m.log)
	return buf.String(), string(log), err
}

// installed is which folders npm was called in, with what beside the usual.
func (m *machine) installed() string {
	text, _ := os.ReadFile(m.log + ".installed")
	return string(text)
}

func TestSetupNamesWhatIsMissing(t *testing.T) {
	m := newMachine(t)
	for _, name := range []string{"strace", "git", "kubectl", "skopeo"} {
		m.remove(name)
	}
	m.stub("gcc", "exit 1")
	m.stub("apt-get", `echo "apt-get $*" >>"$LOG"`)
	stderr, calls, err := m.setup()
	if err == nil {
		t.Error("setup succeeded without strace and a compiler")
	}
	want := "sudo apt-get update && sudo apt-get install -y --no-install-recommends gcc libc6-dev strace git kubernetes-client skopeo\n"
	if !strings.Contains(stderr, want) {
		t.Errorf("stderr lacks %q:\n%s", want, stderr)
	}
	if calls != "" {
		t.Errorf("called %q without being root", calls)
	}
}

func TestSetupInstallsAsRoot(t *testing.T) {
	m := newMachine(t)
	m.remove("strace")
	m.stub("id", "echo 0")
	m.stub("apt-get", `echo "apt-get $*" >>"$LOG"; case "$1" in install) ln -s "$(command -v bash)" "`+m.bin+`/strace" ;; esac`)
	stderr, calls, err := m.setup()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if !strings.Contains(calls, "apt-get update") || !strings.Contains(calls, "--no-install-recommends strace\n") {
		t.Errorf("calls: %q", calls)
	}
}

func TestSetupFailsWhenTheInstallationDidNotHelp(t *testing.T) {
	m := newMachine(t)
	m.remove("strace")
	m.stub("id", "echo 0")
	m.stub("apt-get", "exit 0")
	if stderr, _, err := m.setup(); err == nil {
		t.Errorf("setup succeeded without strace:\n%s", stderr)
	}
}

func TestSetupOfNodeModules(t *testing.T) {
	t.Run("a new node needs no other", func(t *testing.T) {
		m := newMachine(t)
		stderr, calls, err := m.setup()
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		want := "e2e: --omit=optional\nqwencode: --omit=optional\n"
		if got := m.installed(); got != want {
			t.Errorf("installed %q, want %q; calls: %q", got, want, calls)
		}
		if _, calls, _ = m.setup(); strings.Count(calls, "npm ci") != 2 {
			t.Errorf("a second run installed again: %q", calls)
		}
	})
	t.Run("an old node gets a new one", func(t *testing.T) {
		m := newMachine(t)
		m.stub("node", `case "$1" in -e) exit 1 ;; *) echo v18.0.0 ;; esac`)
		stderr, calls, err := m.setup()
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		want := "e2e: \nqwencode: --omit=optional\n"
		if got := m.installed(); got != want {
			t.Errorf("installed %q, want %q; calls: %q", got, want, calls)
		}
		if _, calls, _ = m.setup(); strings.Count(calls, "npm ci") != 2 {
			t.Errorf("a second run installed again: %q", calls)
		}
	})
	t.Run("an old node with none to be had fails", func(t *testing.T) {
		m := newMachine(t)
		m.stub("node", `case "$1" in -e) exit 1 ;; *) echo v18.0.0 ;; esac`)
		m.stub("npm", `mkdir -p node_modules`)
		stderr, _, err := m.setup()
		if err == nil || !strings.Contains(stderr, "v18.0.0") {
			t.Errorf("err %v, stderr %q", err, stderr)
		}
	})
}
