package browser

import (
	"testing"
	"testing/fstest"
)

func TestShouldOpen(t *testing.T) {
	type env map[string]string
	display := env{"DISPLAY": ":0"}
	with := func(name, value string) env { return env{"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0", name: value} }
	file := func(name, text string) fstest.MapFS { return fstest.MapFS{name: {Data: []byte(text)}} }
	for _, tt := range []struct {
		name  string
		goos  string // default: linux
		env   env
		files fstest.MapFS
		ok    bool
		why   string
	}{
		{name: "nothing at all", why: "no display"},
		{name: "X11", env: display, ok: true, why: "DISPLAY"},
		{name: "X11 over a local socket", env: env{"DISPLAY": "unix:0"}, ok: true, why: "DISPLAY"},
		{name: "X11 forwarded", env: env{"DISPLAY": "localhost:10.0"}, why: "DISPLAY of another machine"},
		{name: "Wayland", env: env{"WAYLAND_DISPLAY": "wayland-0"}, ok: true, why: "WAYLAND_DISPLAY"},
		{name: "Mir", env: env{"MIR_SOCKET": "/run/mir"}, ok: true, why: "MIR_SOCKET"},
		{name: "BSD without display", goos: "freebsd", why: "no display"},
		{name: "macOS", goos: "darwin", ok: true, why: "darwin"},
		{name: "macOS over SSH", goos: "darwin", env: env{"SSH_CONNECTION": "a 1 b 22"}, why: "SSH_CONNECTION"},
		{name: "Windows", goos: "windows", ok: true, why: "windows"},
		{name: "Windows over SSH", goos: "windows", env: env{"SSH_CLIENT": "a 1 22"}, why: "SSH_CLIENT"},
		{name: "SSH", env: with("SSH_TTY", "/dev/pts/1"), why: "SSH_TTY"},
		{name: "sudo", env: with("SUDO_USER", "ada"), why: "SUDO_USER"},
		{name: "NO_BROWSER", env: with("NO_BROWSER", "0"), why: "NO_BROWSER"},
		{name: "NO_BROWSER on macOS", goos: "darwin", env: env{"NO_BROWSER": "1"}, why: "NO_BROWSER"},
		{name: "BROWSER is one for terminals", env: with("BROWSER", "www-browser"), why: "BROWSER"},
		{name: "BROWSER are some for terminals", env: with("BROWSER", "/usr/bin/lynx:w3m %s"), why: "BROWSER"},
		{name: "BROWSER is none", env: with("BROWSER", "none"), why: "BROWSER"},
		{name: "BROWSER is a list", env: with("BROWSER", "firefox:lynx"), ok: true, why: "WAYLAND_DISPLAY"},
		{name: "BROWSER is no display", env: env{"BROWSER": "firefox"}, why: "no display"},
		{name: "CI", env: with("CI", "1"), why: "CI"},
		{name: "CI is off", env: with("CI", "false"), ok: true, why: "WAYLAND_DISPLAY"},
		{name: "DEBIAN_FRONTEND", env: with("DEBIAN_FRONTEND", "noninteractive"), why: "DEBIAN_FRONTEND"},
		{name: "DEBIAN_FRONTEND of a person", env: with("DEBIAN_FRONTEND", "dialog"), ok: true, why: "WAYLAND_DISPLAY"},
		{name: "Codespaces", env: with("CODESPACES", "true"), why: "CODESPACES"},
		{name: "an editor's remote terminal", env: with("VSCODE_IPC_HOOK_CLI", "/tmp/x.sock"), why: "VSCODE_IPC_HOOK_CLI"},
		{name: "WSL", env: env{"WSL_DISTRO_NAME": "Debian"}, ok: true, why: "WSL"},
		{name: "WSL in an editor", env: env{"WSL_INTEROP": "/run/1", "VSCODE_IPC_HOOK_CLI": "/tmp/x.sock"}, ok: true, why: "WSL"},
		{name: "WSL over SSH", env: env{"WSL_DISTRO_NAME": "Debian", "SSH_CONNECTION": "a 1 b 22"}, why: "SSH_CONNECTION"},
		{name: "a container's variable", env: with("container", "podman"), why: "container"},
		{name: "Kubernetes", env: with("KUBERNETES_SERVICE_HOST", "10.0.0.1"), why: "KUBERNETES_SERVICE_HOST"},
		{name: "Docker", env: display, files: file(".dockerenv", ""), why: "/.dockerenv"},
		{name: "Docker in WSL", env: with("WSL_DISTRO_NAME", "Debian"), files: file(".dockerenv", ""), why: "/.dockerenv"},
		{name: "Podman", env: display, files: file("run/.containerenv", ""), why: "/run/.containerenv"},
		{name: "nspawn", env: display, files: file("run/systemd/container", "systemd-nspawn"), why: "/run/systemd/container"},
		{name: "a group of Docker", env: display, files: file("proc/1/cgroup", "1:cpu:/docker/0123\n"), why: "/proc/1/cgroup"},
		{name: "a group of Kubernetes", env: display, files: file("proc/1/cgroup", "0::/kubepods.slice/x\n"), why: "/proc/1/cgroup"},
		{name: "a group of the machine", env: display, files: file("proc/1/cgroup", "0::/init.scope\n"), ok: true, why: "DISPLAY"},
		{name: "files mean nothing on macOS", goos: "darwin", files: file(".dockerenv", ""), ok: true, why: "darwin"},
	} {
		if tt.goos == "" {
			tt.goos = "linux"
		}
		p := place{func(name string) string { return tt.env[name] }, tt.goos, tt.files}
		if ok, why := p.shouldOpen(); ok != tt.ok || why != tt.why {
			t.Errorf("%s: got %t, %q, want %t, %q", tt.name, ok, why, tt.ok, tt.why)
		}
	}
}
