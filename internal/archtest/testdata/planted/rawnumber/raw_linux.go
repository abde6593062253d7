// Package rawnumber calls the kernel by number.
package rawnumber

import "syscall"

const exec = 58 + 1

// Named uses the constant of package syscall.
func Named() { syscall.RawSyscall(syscall.SYS_EXECVE, 0, 0, 0) }

// Numbered uses the number itself.
func Numbered() { syscall.Syscall(exec, 0, 0, 0) }

// Hidden hides the number from the checker.
func Hidden(trap uintptr) { syscall.RawSyscall(trap, 0, 0, 0) }

// Value takes the function as a value.
var Value = syscall.RawSyscall6

// Allowed asks for the process id.
func Allowed() { syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0) }
