//go:build unix && !linux

package child

import "golang.org/x/sys/unix"

// unshareFiles reports that this system has no such thing.
func unshareFiles() bool { return false }

func dup(fd, to int) error { return unix.Dup2(fd, to) }
