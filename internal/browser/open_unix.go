//go:build unix

package browser

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"syscall"
)

func open(ctx context.Context, link string, getenv func(string) string) error {
	if value := getenv("BROWSER"); value != "" {
		commands := chosen(value, link)
		if len(commands) == 0 {
			return errors.New("BROWSER names none")
		}
		return start(ctx, commands)
	}
	return start(ctx, system(runtime.GOOS, getenv, link))
}

// system are the commands of a system that open link, the best one first.
func system(goos string, getenv func(string) string, link string) [][]string {
	if goos == "darwin" {
		return [][]string{{"/usr/bin/open", link}}
	}
	commands := [][]string{
		{"xdg-open", link}, {"gio", "open", link}, {"x-www-browser", link},
		{"firefox", link}, {"chromium", link}, {"google-chrome", link},
	}
	if inWSL(getenv) {
		commands = append([][]string{{"wslview", link}, {"rundll32.exe", "url.dll,FileProtocolHandler", link}}, commands...)
	}
	return commands
}

// detach gives cmd a session of its own, so that it can neither reach our
// terminal nor be hit by what is typed there.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
