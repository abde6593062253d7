package term

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// runShell is a shell with job control for one job, this program in another
// role. It leaves the terminal's mode to its job, unless it is careful, as most
// shells are.
func runShell(role string, careful bool) {
	var mode *unix.Termios
	if careful {
		mode, _ = unix.IoctlGetTermios(0, unix.TCGETS)
	}
	job := exec.Command("/proc/self/exe")
	job.Stdin, job.Stdout, job.Stderr = os.Stdin, os.Stdout, os.Stderr
	job.Env = append(os.Environ(), "TERM_TEST_ROLE="+role)
	job.SysProcAttr = &syscall.SysProcAttr{Foreground: true}
	if err := job.Start(); err != nil {
		fmt.Println(err)
		return
	}
	signal.Ignore(unix.SIGTTOU)
	waitForJob(job.Process.Pid, mode)
	for {
		command, err := readLine(os.Stdin)
		switch {
		case err != nil:
			return
		case command == "continue":
			_ = unix.Kill(-job.Process.Pid, unix.SIGCONT)
		case command == "foreground", command == "fg":
			_ = unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, job.Process.Pid)
			if command == "fg" {
				_ = unix.Kill(-job.Process.Pid, unix.SIGCONT)
			}
			waitForJob(job.Process.Pid, mode)
			continue
		}
		fmt.Printf("shell: did %q\n", command)
	}
}

// waitForJob waits until the job has ended or is stopped, and takes its place,
// with mode unless that is nil.
func waitForJob(pid int, mode *unix.Termios) {
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	_ = unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, unix.Getpgrp())
	if mode != nil {
		_ = unix.IoctlSetTermios(0, unix.TCSETS, mode)
	}
	unread, _ := unix.IoctlGetInt(0, unix.TIOCINQ)
	switch {
	case status.Stopped():
		fmt.Println("shell: stopped")
	case status.Signaled():
		fmt.Printf("shell: ended by %v, %d bytes unread\n", status.Signal(), unread)
	default:
		fmt.Printf("shell: ended with %d, %d bytes unread\n", status.ExitStatus(), unread)
	}
}
