// Package inner imports os/exec.
package inner

import "os/exec"

// Open runs a program.
func Open(url string) error { return exec.Command("xdg-open", url).Run() }
