//go:build unix

package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/usherauth/usher/secret"
)

// Become makes this process the command. It returns only if that fails, with an
// *[Error], or with [context.Canceled] if a signal has come before it, of those
// that the caller has sent to endings. In the command all signals have their
// default effect, but SIGINT and SIGHUP where they were ignored from the start:
// of others the runtime of this program does not keep that.
func Become(c Command, endings <-chan os.Signal) error {
	ends, err := fill(c.Secrets)
	if err != nil {
		return &Error{ExitTrouble, err}
	}
	defaultSignals()
	select {
	case <-endings:
		return context.Canceled
	default:
	}
	// From here on the runtime may find none of its files in this thread.
	runtime.LockOSThread()
	if err := number(ends); err != nil {
		return &Error{ExitTrouble, err}
	}
	err = syscall.Exec(c.Path, c.Args, c.Env)
	if errors.Is(err, syscall.ENOEXEC) {
		// A script that does not say by what it is run, is run by the shell
		// (POSIX, execvp).
		err = syscall.Exec("/bin/sh", append([]string{"sh", c.Path}, c.Args[1:]...), c.Env)
	}
	code := ExitNotExecutable
	if errors.Is(err, syscall.ENOENT) {
		code = ExitNotFound // it has gone, or what a script is run by is not there
	}
	return &Error{code, fmt.Errorf("%s cannot be executed: %w", c.Args[0], err)}
}

// defaultSignals takes back what this process does about signals. The kernel
// gives handlers up when the command begins, and keeps what is ignored.
func defaultSignals() {
	// Resetting alone would leave it ignored.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	signal.Reset(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
}

// fill makes a pipe for each secret: its number -> the end to read it from,
// numbered above all of them.
func fill(secrets map[int]secret.String) (ends map[int]int, err error) {
	above := 0
	for n := range secrets {
		above = max(above, n+1)
	}
	ends = map[int]int{}
	for n, text := range secrets {
		if ends[n], err = filled(text.Reveal(), above); err != nil {
			return nil, err
		}
	}
	return ends, nil
}

// number gives the files the numbers that they are to have in the command. They
// take the place of those that this process was started with.
func number(ends map[int]int) error {
	if len(ends) == 0 {
		return nil
	}
	apart := unshareFiles()
	for n, fd := range ends {
		if !apart && ours(n) {
			return fmt.Errorf("file descriptor %d is in use here; choose another one", n)
		}
		if err := dup(fd, n); err != nil {
			return fmt.Errorf("passing file descriptor %d on: %w", n, err)
		}
	}
	return nil
}

// ours reports whether fd is open and one that this process has opened: what it
// was started with is not closed at the start of a command.
func ours(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC != 0
}

// filled returns the end, numbered at least from, of a pipe from which text can
// be read, and then its end.
func filled(text string, from int) (fd int, err error) {
	ends := make([]int, 2)
	if err := unix.Pipe(ends); err != nil {
		return 0, err
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	for _, end := range ends {
		unix.CloseOnExec(end)
	}
	if err := unix.SetNonblock(ends[1], true); err != nil {
		return 0, err
	}
	if n, err := unix.Write(ends[1], []byte(text)); err != nil || n < len(text) {
		return 0, errors.New("the token is too long for a pipe; let the command have it in a file")
	}
	return unix.FcntlInt(uintptr(ends[0]), unix.F_DUPFD_CLOEXEC, from)
}

// CheckNumber reports why n cannot be the number of a file of [Command.Secrets].
func CheckNumber(n int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if n < 0 || slices.Contains([]int{1, 2}, n) || uint64(n) >= uint64(limit.Cur) {
		return fmt.Errorf("must be 0 or a number from 3 to %d", uint64(limit.Cur)-1)
	}
	return nil
}

// alive reports whether there is a process of that id.
func alive(pid int) bool { return !errors.Is(unix.Kill(pid, 0), unix.ESRCH) }
