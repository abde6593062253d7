package browser

import (
	"context"
	"errors"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

func open(ctx context.Context, link string, getenv func(string) string) error {
	if value := getenv("BROWSER"); value != "" {
		commands := chosen(value, link)
		if len(commands) == 0 {
			return errors.New("BROWSER names none")
		}
		return start(ctx, commands)
	}
	target, err := windows.UTF16PtrFromString(link)
	if err != nil {
		return err
	}
	return windows.ShellExecute(0, nil, target, nil, nil, windows.SW_SHOWNORMAL)
}

// detach keeps cmd from our console and from what is typed there.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP}
}
