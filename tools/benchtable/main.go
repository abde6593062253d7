// Command benchtable runs the benchmarks that stand for a promise and prints
// what they measured in one table, beside what the machine can do and beside the
// target. The output of go test, with the raw numbers, goes to standard error.
//
// It exits with 1 when a benchmark fails or does not measure what the table
// asks for. A target that was missed is said and no failure: the machine may have
// been busy.
//
// Usage:
//
//	benchtable [-root DIR] [-only TEXT]
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	root := flag.String("root", ".", "directory of the main module")
	only := flag.String("only", "", "leave out the benchmarks whose name does not contain this")
	flag.Parse()
	if err := run(*root, *only); err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(1)
	}
}

func run(root, only string) error {
	measured := make(results)
	var asked []row
	for _, b := range benchmarks {
		if !strings.Contains(b.name, only) {
			continue
		}
		// One after the other and not by -count, which would repeat each part
		// of a benchmark before the next: a machine that others use too is busy
		// for a while, and what is compared must not have its own while.
		for range b.times {
			out, err := b.run(root)
			if err != nil {
				return fmt.Errorf("running %s: %w", b.name, err)
			}
			measured.add(out)
		}
		asked = append(asked, b.rows...)
	}
	return printTable(os.Stdout, asked, measured)
}

// run runs b once and returns its output.
func (b benchmark) run(root string) ([]byte, error) {
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", "^"+b.name+"$", "-benchtime", b.length, "-count=1", b.pkg)
	cmd.Dir = filepath.Join(root, b.module)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, os.Stderr), os.Stderr
	err := cmd.Run()
	return out.Bytes(), err
}
