package child

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
)

// Become runs the command and returns when it has ended: nil if its exit code is
// 0, else an *[Error] with that code and nothing to say. If it did not come
// about, the error says why. Interrupts are the command's, which gets them from
// the console.
func Become(c Command, endings <-chan os.Signal) error {
	if len(c.Secrets) > 0 {
		return &Error{ExitTrouble, errNumbers}
	}
	signal.Ignore(os.Interrupt)
	select {
	case <-endings:
		return context.Canceled
	default:
	}
	cmd := exec.Cmd{Path: c.Path, Args: c.Args, Env: c.Env, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	err := cmd.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return &Error{Code: ended.ExitCode()}
	}
	if err != nil {
		return &Error{ExitNotExecutable, err}
	}
	return nil
}

var errNumbers = errors.New("Windows passes no numbered files on; let the command have the token in a file")

// CheckNumber reports that no file can have the number n.
func CheckNumber(int) error { return errNumbers }
