// Package cli is the command line of usher. [Main] runs one command and
// returns its exit code; main does nothing else.
//
// Each command has a file of its own: it is parsed into a struct of options,
// and a method of app runs it. What several commands share is in few places:
// a command reaches credentials and logins through the interface service, which
// a daemon or this process answers (connect.go); talk is in talk.go, errors and
// exit codes are in errors.go.
//
// Standard output carries the result of a command and nothing else, so that it
// can be piped; everything said to a person goes to standard error.
package cli

import (
	"context"
	"io"
	"log/slog"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
)

// Stdio is the surroundings of a command. All fields are required.
type Stdio struct {
	In       io.Reader
	Out, Err io.Writer
	// Getenv reads the environment, as [os.Getenv].
	Getenv func(string) string
}

// app is one run of the command line.
type app struct {
	in     io.Reader
	out    *term.Screen
	err    *term.Screen
	getenv func(string) string
	args   []string // the command line, without the program's name
	debug  bool
}

// Main runs the command that args name, without the program's own name, and
// returns the exit code. It catches interrupts for as long as it runs: the
// first one asks the command to come to an end, and no further one cuts off
// what must not be cut off. It ends early when ctx does.
func Main(ctx context.Context, args []string, stdio Stdio) int {
	ignoreBrokenPipes()
	if quickToken(args, stdio) {
		return api.ExitOK
	}
	a := &app{
		in:     stdio.In,
		out:    term.New(stdio.Out, stdio.Getenv),
		err:    term.New(stdio.Err, stdio.Getenv),
		getenv: stdio.Getenv,
		args:   args,
		debug:  stdio.Getenv("USHER_DEBUG") == "1",
	}
	ctx, stop := a.untilInterrupt(ctx)
	defer stop()
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdio.In)
	root.SetOut(stdio.Out)
	root.SetErr(stdio.Err)
	cmd, err := root.ExecuteContextC(ctx)
	a.err.Erase()
	return a.report(cmd, err)
}

// log is where the parts write what a developer may want to know: standard
// error with --debug, else only what is at least of level atLeast.
func (a *app) log(atLeast slog.Level) *slog.Logger {
	if a.debug {
		atLeast = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: atLeast}))
}

// silent is above every level that is logged.
const silent = slog.LevelError + 4
