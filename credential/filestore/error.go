package filestore

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/usherauth/usher/credential"
)

// Error is the failure of the store itself: a file could not be read, written,
// locked or understood. Outcomes that callers react to are the errors of
// package credential and are never wrapped in an Error, nor is the end of a
// context; but an Error may be a [credential.ErrFull].
type Error struct {
	Op   string // what was being done, such as "reserving space"
	Path string // the file or folder concerned
	Err  error  // the cause
}

// Error names the operation, the path, the cause and, where there is one, the
// next step.
func (e *Error) Error() string {
	text := e.Op + " in " + e.Path + ": " + e.Err.Error()
	if hint := e.Hint(); hint != "" {
		text += " (" + hint + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is [credential.ErrFull] and the cause is that the
// disk, or the user's share of it, is full.
func (e *Error) Is(target error) bool {
	return target == credential.ErrFull && (errors.Is(e.Err, syscall.ENOSPC) || errors.Is(e.Err, syscall.EDQUOT))
}

// Hint says in one sentence what a person can do about it; empty if there is
// nothing in particular.
func (e *Error) Hint() string {
	switch {
	case errors.Is(e.Err, syscall.EROFS), errors.Is(e.Err, fs.ErrPermission):
		return "make the folder writable for this user, or set USHER_HOME to one that is"
	case e.Is(credential.ErrFull), errors.Is(e.Err, syscall.EFBIG):
		return "free some disk space, or set USHER_HOME to a folder on another disk"
	}
	return ""
}

// failure wraps err unless it is nil, an [Error] already, or the end of a
// context.
func failure(op, path string, err error) error {
	var known *Error
	switch {
	case err == nil, errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return &Error{Op: op, Path: path, Err: err}
}
