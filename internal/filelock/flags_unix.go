//go:build unix

package filelock

import (
	"os"
	"syscall"
)

// openFlags refuse a symbolic link and do not wait for a named pipe's writer.
// Package os adds O_CLOEXEC, without which a child would keep the lock.
const openFlags = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
