//go:build unix

package cli

import "golang.org/x/sys/unix"

// mayWrite reports whether files can be made in dir.
func mayWrite(dir string) bool { return unix.Access(dir, unix.W_OK|unix.X_OK) == nil }
