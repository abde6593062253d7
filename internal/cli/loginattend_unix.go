//go:build unix

package cli

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// leaveAlone makes cmd outlive this process and its terminal: in a session of its
// own no hang-up and no signal to this one's group reaches it. Files that this
// process was started with, such as the pipes of whoever runs it, are not passed
// on.
func leaveAlone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Dir = "/"
	open, err := os.ReadDir("/dev/fd")
	if err != nil {
		return // a root folder without it; then there are but the usual files
	}
	for _, f := range open {
		if fd, err := strconv.Atoi(f.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}
