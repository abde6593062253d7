// Command manpage writes docs/man/man1: a manual page for each command of usher
// and for each topic of its help. It asks the program itself, so that a page says
// what usher COMMAND --help says, and no less.
//
// Usage:
//
//	manpage ROOT
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: manpage ROOT")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "manpage:", err)
		os.Exit(1)
	}
}

// run builds usher of the tree at root and writes its pages in place of those
// that are there.
func run(root string) error {
	dir, err := os.MkdirTemp("", "manpage-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "usher")
	build := exec.Command("go", "build", "-o", program, "./cmd/usher")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building usher: %w\n%s", err, out)
	}
	pages, err := collect(program)
	if err != nil {
		return err
	}
	to := filepath.Join(root, "docs", "man", "man1")
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(to, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
