//go:build unix

package term

import "golang.org/x/sys/unix"

// inForeground reports whether this process is in the foreground of the terminal
// fd. One that is not its own terminal stops nobody.
func inForeground(fd int) bool {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp()
}
