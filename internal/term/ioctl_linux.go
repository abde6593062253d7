package term

import "golang.org/x/sys/unix"

// The requests that read and set a terminal's mode, at once.
const (
	getMode = unix.TCGETS
	setMode = unix.TCSETS
)
