package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/e2e/oidcprovider"
	"github.com/usherauth/usher/e2e/terminal"
)

// A desk is where somebody logs in at a terminal: a machine, an environment, and
// programs that open links, which only write down how they were called.
type desk struct {
	*home
	stage  *stage
	record string   // how the first program was called: its name and arguments, one a line
	env    []string // besides the terminal's
}

// recorder is a program that writes down how it was called. Nothing but the
// shell's own commands and mv are at hand there.
const recorder = `#!/bin/sh
{ printf '%%s\n' "${0##*/}" "$@"; } >>'%[1]s.new'
/bin/mv '%[1]s.new' '%[1]s'
`

// newDesk makes a desk with programs of these names.
func newDesk(t *testing.T, programs ...string) *desk {
	t.Helper()
	d := &desk{home: newHome(t), stage: newStage(t, 600, 1)}
	d.provide(d.stage, "Here")
	bin := filepath.Join(d.base, "bin")
	d.record = filepath.Join(d.base, "record")
	for _, name := range programs {
		write(t, filepath.Join(bin, name), fmt.Sprintf(recorder, d.record))
	}
	d.env = []string{"PATH=" + bin, "HOME=" + d.base, "USHER_HOME=" + d.dir, "USHER_CONFIG=" + filepath.Join(d.base, "config.toml")}
	return d
}

// write writes an executable file, in folders that need not exist.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

// login logs in with program at a terminal.
func (d *desk) login(program string, args ...string) *terminal.Terminal {
	d.t.Helper()
	cmd := exec.Command(program, append([]string{"login", "here", "--qr=never", "--debug"}, args...)...)
	cmd.Env, cmd.Dir = d.env, d.base
	return terminal.Start(d.t, cmd, terminal.Options{})
}

// opened is how the first program was called; nothing if none was.
func (d *desk) opened() string {
	text, err := os.ReadFile(d.record)
	if err != nil && !os.IsNotExist(err) {
		d.t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}

// elsewhere builds usher as a program that finds what tells a container below the
// folder "machine" of the working folder, so that a test may run in a container
// itself. It is the same program else.
func elsewhere(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "usher")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-X github.com/usherauth/usher/internal/browser.root=machine",
		"-o", program, "./cmd/usher")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building usher: %v\n%s", err, out)
	}
	return program
}

func TestBrowser(t *testing.T) {
	t.Parallel()
	rooted := elsewhere(t)
	t.Run("is opened where the person is", func(t *testing.T) { testBrowserPlaces(t, rooted) })
	t.Run("is opened for web pages alone", func(t *testing.T) { testBrowserLinks(t, rooted) })
}

// Where a login opens a browser by itself, with what, and where it does not.
func testBrowserPlaces(t *testing.T, rooted string) {
	const display = "DISPLAY=:0"
	for _, tt := range []struct {
		name    string
		env     string            // variables, separated by |
		files   map[string]string // of the machine
		args    string
		because string // why nothing is opened; the program as it is says so
		opened  string // what is called
	}{
		{name: "SSH", env: display + "|SSH_CONNECTION=192.0.2.1 1 192.0.2.2 22", because: "SSH_CONNECTION"},
		{name: "SSH of old", env: display + "|SSH_CLIENT=192.0.2.1 1 22", because: "SSH_CLIENT"},
		{name: "a terminal of SSH", env: display + "|SSH_TTY=/dev/pts/3", because: "SSH_TTY"},
		{name: "CI", env: display + "|CI=1", because: "CI"},
		{name: "an installation", env: display + "|DEBIAN_FRONTEND=noninteractive", because: "DEBIAN_FRONTEND"},
		{name: "NO_BROWSER", env: display + "|NO_BROWSER=0", because: "NO_BROWSER"},
		{name: "BROWSER for terminals", env: display + "|BROWSER=www-browser", because: "BROWSER"},
		{name: "BROWSER none", env: display + "|BROWSER=none", because: "BROWSER"},
		{name: "sudo", env: display + "|SUDO_USER=ada", because: "SUDO_USER"},
		{name: "Codespaces", env: display + "|CODESPACES=true", because: "CODESPACES"},
		{name: "WSL over SSH", env: "WSL_DISTRO_NAME=Debian|SSH_TTY=/dev/pts/3", because: "SSH_TTY"},
		{name: "a container that says so", env: display + "|container=podman", because: "container"},

		{name: "nothing", because: `"no display"`, files: map[string]string{}},
		{name: "a forwarded display", env: "DISPLAY=localhost:10.0", because: `"DISPLAY of another machine"`, files: map[string]string{}},
		{name: "Docker", env: display, because: "/.dockerenv", files: map[string]string{".dockerenv": ""}},
		{name: "Podman", env: display, because: "/run/.containerenv", files: map[string]string{"run/.containerenv": ""}},
		{name: "Kubernetes", env: display, because: "/proc/1/cgroup", files: map[string]string{"proc/1/cgroup": "0::/kubepods/pod1\n"}},
		{name: "Docker in WSL", env: "WSL_DISTRO_NAME=Debian", because: "/.dockerenv", files: map[string]string{".dockerenv": ""}},

		{name: "X11", env: display, opened: "xdg-open"},
		{name: "Wayland", env: "WAYLAND_DISPLAY=wayland-0", opened: "xdg-open"},
		{name: "a machine", env: display, opened: "xdg-open", files: map[string]string{"proc/1/cgroup": "0::/init.scope\n"}},
		{name: "plain", env: display, args: "--plain", opened: "xdg-open"},
		{name: "WSL", env: "WSL_DISTRO_NAME=Debian", opened: "wslview"},
		{name: "BROWSER", env: display + "|BROWSER=missing:my-browser --new %s", opened: "my-browser\n--new"},
		{name: "BROWSER without a place for the link", env: display + "|BROWSER=my-browser -x", opened: "my-browser\n-x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, "xdg-open", "wslview", "my-browser", "www-browser", "none")
			if tt.env != "" {
				d.env = append(d.env, strings.Split(tt.env, "|")...)
			}
			program := rooted
			if tt.because != "" && tt.files == nil {
				program = binary // it decides before it looks at any file
			}
			for name, text := range tt.files {
				write(t, filepath.Join(d.base, "machine", name), text)
			}
			x := d.login(program, strings.Fields(tt.args)...)
			want := ""
			if tt.because != "" {
				oidcprovider.Poll(t, "the decision", func() bool {
					return strings.Contains(x.Output(), "may=false because="+tt.because)
				})
			} else {
				oidcprovider.Poll(t, "a browser", func() bool { return d.opened() != "" })
				want = tt.opened + "\n" + stageLink
			}
			d.stage.answers("")
			if code := x.Wait(); code != exitOK {
				t.Errorf("exit %d\n%s", code, x.Output())
			}
			if diff := cmp.Diff(want, d.opened()); diff != "" {
				t.Errorf("opened (-want +got):\n%s", diff)
			}
		})
	}
}

// A provider can make usher open no program but a browser, and nothing but a web
// page in it.
func testBrowserLinks(t *testing.T, rooted string) {
	for _, hostile := range []string{
		"javascript:alert(1)", "file:///etc/passwd", "--flag", "-https://login.example/", `\\evil.example\share`, "//evil.example/share",
		"a:$(calc)", "data:text/html,x", "https://user@login.example/", "https://login.example/\x1b]0;x\a", "https://login.example/\n--flag",
		"http://login.example/", "https://login.example/%0d%0a", "ms-msdt:/id", "https://login.example\\@evil.example/", "https://\u043bogin.example/",
		"https://login.example/`id`", "https://login.example/ --flag",
	} {
		for _, which := range []string{"both", "complete"} {
			t.Run(fmt.Sprintf("%s %q", which, hostile), func(t *testing.T) {
				t.Parallel()
				d := newDesk(t, "xdg-open", "my-browser", "calc")
				d.env = append(d.env, "DISPLAY=:0")
				d.stage.answers("")
				d.stage.says("verification_uri_complete", hostile)
				fine := "xdg-open\nhttps://login.example/device" // the link without the code
				if which == "both" {
					d.stage.says("verification_uri", hostile)
					fine = ""
				}
				x := d.login(rooted)
				x.Wait()
				if got := d.opened(); got != "" && got != fine {
					t.Errorf("opened: %q\n%s", got, x.Output())
				}
			})
		}
	}
}
