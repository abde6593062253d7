package cli

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// leaveAlone makes cmd outlive this process and its console.
func leaveAlone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP}
}
