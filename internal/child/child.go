// Package child starts a command in the place of this process: on Unix this
// process becomes it, so that nothing remains in between and signals, the exit
// code, the terminal and standard input are as if the command had been started
// by itself. On Windows, which has no such thing, it runs beside this process,
// which waits for it and ends with its exit code.
//
// Use [Find] and [Environ], then [Become]. What has to go on while the command
// runs is for a process beside it, which [Ended] tells when it has ended.
package child

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/usherauth/usher/secret"
)

// The exit codes of a command that did not come about, as shells and env(1) have
// them.
const (
	// ExitTrouble: something failed before it.
	ExitTrouble = 125
	// ExitNotExecutable: it is there and cannot be executed.
	ExitNotExecutable = 126
	// ExitNotFound: it is not there.
	ExitNotFound = 127
)

// Command is a command to become.
type Command struct {
	// Path is the program, as [Find] returns it.
	Path string
	// Args are its arguments, the name that it was called by first.
	Args []string
	// Env is its whole environment, as [Environ] returns it.
	Env []string
	// Secrets are what it can read from open files: number of the file ->
	// contents, each of which is read once and nowhere else. Not on Windows.
	Secrets map[int]secret.String
}

// Error is why a command did not come about: Code is [ExitTrouble],
// [ExitNotExecutable] or [ExitNotFound]. On Windows it is the end of one as well:
// then Code is its exit code, and Err is nil.
type Error struct {
	Code int
	Err  error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Find returns the program that name means, searched for on the PATH unless it
// has a slash. Errors are *[Error].
func Find(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrDot) && runtime.GOOS != "windows":
		return path, nil // the person has put the working folder on the PATH
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "", &Error{ExitNotFound, fmt.Errorf("%s: command not found", name)}
	}
	if cause, ok := errors.AsType[*exec.Error](err); ok {
		err = cause.Err
	}
	return "", &Error{ExitNotExecutable, fmt.Errorf("%s cannot be executed: %w", name, err)}
}

// Environ is the environment base with the variables of set in it, in the place
// of those with the same names, and without those in drop. Replaced names the
// ones that base had with another value.
func Environ(base []string, set map[string]string, drop ...string) (env, replaced []string) {
	for _, entry := range base {
		name, value, _ := strings.Cut(entry, "=")
		in, ok := find(slices.Sorted(maps.Keys(set)), name)
		if ok && value != set[in] {
			replaced = append(replaced, in)
		}
		if _, dropped := find(drop, name); !ok && !dropped {
			env = append(env, entry)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		env = append(env, name+"="+set[name])
	}
	return env, replaced
}

// find returns the one of names that is the variable name.
func find(names []string, name string) (found string, ok bool) {
	i := slices.IndexFunc(names, func(n string) bool {
		return n == name || runtime.GOOS == "windows" && strings.EqualFold(n, name)
	})
	if i < 0 {
		return "", false
	}
	return names[i], true
}
