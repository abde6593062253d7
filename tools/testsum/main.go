// Command testsum runs `go test -race -count=1 -json ./...` in one or more modules and
// reports the result in a form that cannot hide anything: failures with their
// output, every skipped test by name, and one closing line
//
//	N passed, N failed, N skipped
//
// It exits with 1 when a test or a package failed, when a test was skipped
// that the list of allowed skips does not name, and when no test ran at all.
// Subtests count as tests. A package that fails without a failing test, such
// as one that does not compile, counts as one failure.
//
// Usage:
//
//	testsum [-allow FILE] [-root DIR] MODULE-DIR...
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	root := flag.String("root", ".", "directory the module directories are relative to")
	allow := flag.String("allow", "", "file of allowed skips, one `package test` a line (default none allowed)")
	args := flag.String("args", "", "further arguments of go test, separated by blanks")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "testsum: name at least one module directory")
		os.Exit(2)
	}
	ok, err := run(*root, *allow, strings.Fields(*args), flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
	if !ok {
		os.Exit(1)
	}
}

// run tests every module in turn, prints the summary and reports whether all
// is well.
func run(root, allowFile string, goArgs, modules []string) (bool, error) {
	allowed, err := loadSkips(allowFile)
	if err != nil {
		return false, err
	}
	t := newTally(os.Stdout)
	for _, m := range modules {
		if err := goTest(t, filepath.Join(root, m), goArgs); err != nil {
			return false, fmt.Errorf("testing %s: %w", m, err)
		}
	}
	return t.summary(allowed), nil
}
