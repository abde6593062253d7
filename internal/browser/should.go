package browser

import (
	"bytes"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// root is where the files are that tell a container; a test links another one in.
var root = "/"

// ShouldOpen reports whether to open a browser on this machine unasked: whether a
// person probably sits before it who would see the window. If in doubt it does
// not, since a browser in another place is of no use to anybody. why is what
// decided, for a log: the name of a variable or of a file, or a few words.
//
// NO_BROWSER forbids it, and so do signs of another place (SSH, a container, a
// remote workspace), signs that nobody is there (CI, DEBIAN_FRONTEND), and on
// Unix other than macOS that there is no display of this machine's own.
func ShouldOpen(getenv func(string) string) (ok bool, why string) {
	return place{getenv, runtime.GOOS, os.DirFS(root)}.shouldOpen()
}

// A place is what can be known about where a program runs.
type place struct {
	getenv func(string) string
	goos   string
	files  fs.FS // what is at /
}

func (p place) shouldOpen() (ok bool, why string) {
	for _, rule := range []func() string{p.forbidden, p.unattended, p.remote, p.contained} {
		if why := rule(); why != "" {
			return false, why
		}
	}
	return p.display()
}

// first is the first of variables that is set, or nothing.
func (p place) first(variables ...string) string {
	for _, name := range variables {
		if p.getenv(name) != "" {
			return name
		}
	}
	return ""
}

// forbidden is how a person said no.
func (p place) forbidden() string {
	if value := p.getenv("BROWSER"); value != "" && len(chosen(value, "")) == 0 {
		return "BROWSER"
	}
	return p.first("NO_BROWSER")
}

// unattended is the sign that nobody sits before the machine.
func (p place) unattended() string {
	if ci := p.getenv("CI"); ci != "" && ci != "false" && ci != "0" {
		return "CI"
	}
	if p.getenv("DEBIAN_FRONTEND") == "noninteractive" {
		return "DEBIAN_FRONTEND"
	}
	return ""
}

// remote is the sign that the person sits before another machine. sudo and doas
// are one as well: they hide whether somebody came over SSH, and the browser would
// be root's.
func (p place) remote() string {
	if !inWSL(p.getenv) { // there, an editor on the same machine sets it too
		if why := p.first("VSCODE_IPC_HOOK_CLI"); why != "" {
			return why
		}
	}
	return p.first("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY",
		"CODESPACES", "GITPOD_WORKSPACE_ID", "CLOUD_SHELL", "REMOTE_CONTAINERS",
		"SUDO_USER", "DOAS_USER")
}

// contained is the sign of a container.
func (p place) contained() string {
	if why := p.first("container", "KUBERNETES_SERVICE_HOST"); why != "" || p.goos != "linux" {
		return why
	}
	for _, file := range []string{".dockerenv", "run/.containerenv", "run/systemd/container"} {
		if _, err := fs.Stat(p.files, file); err == nil {
			return "/" + file
		}
	}
	const cgroup = "proc/1/cgroup"
	groups, _ := fs.ReadFile(p.files, cgroup) // without it, nothing is known
	for _, sign := range []string{"docker", "containerd", "kubepods", "libpod", "lxc"} {
		if bytes.Contains(groups, []byte(sign)) {
			return "/" + cgroup
		}
	}
	return ""
}

// display reports whether there is a display to open a window on, and which.
func (p place) display() (ok bool, why string) {
	switch {
	case p.goos == "darwin" || p.goos == "windows":
		return true, p.goos
	case inWSL(p.getenv):
		return true, "WSL"
	}
	if why := p.first("WAYLAND_DISPLAY", "MIR_SOCKET"); why != "" {
		return true, why
	}
	switch d := p.getenv("DISPLAY"); {
	case d == "":
		return false, "no display"
	case !strings.HasPrefix(d, ":") && !strings.HasPrefix(d, "unix:"):
		return false, "DISPLAY of another machine" // as ssh -X sets it
	}
	return true, "DISPLAY"
}

// inWSL reports whether this is Linux on a Windows machine, which has the browser.
func inWSL(getenv func(string) string) bool {
	return getenv("WSL_DISTRO_NAME") != "" || getenv("WSL_INTEROP") != ""
}
