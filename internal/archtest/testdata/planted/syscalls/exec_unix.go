//go:build unix

// Package syscalls starts programs below package os.
package syscalls

import "syscall"

// Exec replaces the process.
func Exec(name string) error { return syscall.Exec(name, nil, nil) }

// Fork starts a program.
func Fork(name string) (int, error) { return syscall.ForkExec(name, nil, nil) }
