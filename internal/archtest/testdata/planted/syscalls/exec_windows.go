// Package syscalls starts programs below package os.
package syscalls

import "golang.org/x/sys/windows"

// Create starts a program.
func Create(name *uint16) error {
	return windows.CreateProcess(name, nil, nil, nil, false, 0, nil, nil, nil, nil)
}

// Open opens what the shell knows how to open.
func Open(url *uint16) error { return windows.ShellExecute(0, nil, url, nil, nil, 1) }
