package cli

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/internal/safetext"
)

// usagef is a mistake in how a command was called.
func usagef(format string, args ...any) *api.Error {
	return api.Errorf(api.CodeInvalidRequest, format, args...)
}

// invalidKey is the error for what is no key.
func invalidKey(err error) *api.Error {
	return api.Errorf(api.CodeInvalidKey, "%w", err).
		WithHint("a key is provider or provider/account, such as github or github/work")
}

// report tells err on standard error and returns the exit code. cmd is the
// command that failed.
func (a *app) report(cmd *cobra.Command, err error) int {
	if err == nil {
		return api.ExitOK
	}
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	var ran runError
	if !errors.As(err, &ran) {
		// Everything else comes from parsing the command line.
		what, suggestions, _ := strings.Cut(err.Error(), "\n\nDid you mean this?\n")
		hint := "see: " + cmd.CommandPath() + " --help"
		if s := strings.Fields(suggestions); len(s) > 0 {
			hint = "did you mean " + strings.Join(s, " or ") + "?\n" + hint
		}
		a.sayError(usagef("%s", what).WithHint("%s", hint))
		return exitOf(err, api.ExitUsage)
	}
	e := asError(ran.error)
	if e.Code == api.CodeInvalidRequest && e.Hint == "" {
		_ = e.WithHint("see: %s --help", cmd.CommandPath())
	}
	a.sayError(e)
	return exitOf(err, e.Code.Exit())
}

// codedError is an error with an exit code that is not that of its [api.Code].
type codedError struct {
	error
	exit int
}

func (e codedError) Unwrap() error { return e.error }

// exitOf is the exit code that err has of its own, or else the usual one.
func exitOf(err error, usual int) int {
	if own, ok := errors.AsType[codedError](err); ok {
		return own.exit
	}
	return usual
}

// sayError writes e: what happened, and what to do next on lines of its own.
func (a *app) sayError(e *api.Error) {
	// Joined errors come as lines.
	a.sayf("usher: %s", safetext.Line(strings.ReplaceAll(e.Error(), "\n", "; "), 0))
	if e.Hint == "" {
		return
	}
	for line := range strings.Lines(e.Hint) {
		hint := "hint: " + safetext.Line(strings.TrimSuffix(line, "\n"), 0)
		if strings.Contains(hint, ": usher ") {
			a.say(hint) // a command is to be copied whole
		} else {
			a.sayf("%s", hint)
		}
	}
}

// exitCode is an error of which all has been said: it is only the exit code.
type exitCode int

func (c exitCode) Error() string { return "exit code " + strconv.Itoa(int(c)) }

// runError is an error of a command that was understood and ran.
type runError struct{ error }

func (e runError) Unwrap() error { return e.error }

// asError returns err as the one error type of all surfaces.
func asError(err error) *api.Error {
	var (
		known *api.Error
		store *filestore.Error
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &store):
		return storeError(err)
	case errors.Is(err, context.Canceled):
		return api.Errorf(api.CodeInterrupted, "interrupted")
	}
	return api.AsError(err)
}

// storeError is trouble with the data folder.
func storeError(err error) *api.Error {
	out := api.Errorf(api.CodeStoreFailure, "%w", err)
	var e *filestore.Error
	if errors.As(err, &e) && e.Hint() != "" {
		out.Message = strings.Replace(out.Message, " ("+e.Hint()+")", "", 1) // is said once
		return out.WithHint("%s", e.Hint())
	}
	return out.WithHint("check that the data folder exists, is yours, and has space")
}
