//go:build unix

// Package xsys replaces the process through x/sys.
package xsys

import "golang.org/x/sys/unix"

// Exec replaces the process.
func Exec(name string) error { return unix.Exec(name, nil, nil) }
