// Package xsys looks a procedure up by name.
package xsys

import "golang.org/x/sys/windows"

var procExecute = windows.NewLazySystemDLL("shell32.dll").NewProc("ShellExecuteExW")

// Open opens something.
func Open() { procExecute.Call() }
