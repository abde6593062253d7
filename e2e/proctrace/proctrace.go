// Package proctrace tells from a trace of system calls whether a program
// started another one. Put [Prefix] before a command line, let it run, and
// read the file with [Starts]. Linux only, with strace.
package proctrace

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Prefix returns the words that, put before a command line, write its trace to
// the file. The tracer follows all threads and children, and ends with the
// program, with its exit code.
func Prefix(file string) []string {
	// fork and vfork do not exist on every architecture; ? lets strace go on
	// without them.
	return []string{"strace", "-f", "-qq", "-o", file, "-e", "trace=execve,execveat,?fork,?vfork,clone,?clone3"}
}

// A line is `PID call(arguments) = result`, or a part of it up to
// "<unfinished ...>" when another thread came between.
var traced = regexp.MustCompile(`^(\d+)\s+(execve|execveat|fork|vfork|clone|clone3)\((.*)$`)

// Starts returns the lines of a trace in which a process was started or a
// program executed. The first execve is the tracer's own, which started the
// program, and does not count; a trace without it is an error, as are lines
// that are not understood. A clone that makes a thread starts no process.
func Starts(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var starts []string
	begun := false
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		m := traced.FindStringSubmatch(line)
		switch {
		case m == nil:
			if !harmless(line) {
				return nil, fmt.Errorf("reading trace: line not understood: %q", line)
			}
		case m[2] == "execve" && !begun:
			begun = true
		case strings.HasPrefix(m[2], "clone") && strings.Contains(m[3], "CLONE_THREAD"):
		default:
			starts = append(starts, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading trace: %w", err)
	}
	if !begun {
		return nil, fmt.Errorf("reading trace: %s does not show the program's own start", file)
	}
	return starts, nil
}

// detached stands for the call of a thread that was gone with its process before
// strace could read which one it was. Had it started something, that would have
// lines of its own.
const detached = "???( <detached ...>"

// harmless reports whether a line tells of a signal, an exit, or the return of
// a call whose beginning was a line of its own.
func harmless(line string) bool {
	_, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	return strings.HasPrefix(rest, "---") || strings.HasPrefix(rest, "+++") || strings.HasPrefix(rest, "<... ") || rest == detached
}
