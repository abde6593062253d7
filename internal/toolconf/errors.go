package toolconf

import (
	"errors"
	"fmt"
)

// Error is a file that cannot be edited, or not without guessing. Nothing was
// changed.
type Error struct {
	// Path is the file.
	Path string
	// Line is counted from 1; 0 if it is about none.
	Line int
	// Problem says what is wrong.
	Problem string
	// ByHand are the lines to add by hand instead, if that is a way out.
	ByHand string

	changed bool
}

func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s, line %d: %s", e.Path, e.Line, e.Problem)
	}
	return e.Path + ": " + e.Problem
}

// Is makes e match [ErrChanged] if it is that.
func (e *Error) Is(target error) bool { return target == ErrChanged && e.changed }

// ErrChanged is matched by the error for a file in which our own part was
// changed by somebody else.
var ErrChanged = errors.New("changed since")

// in names the file that an error is about.
func in(path string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.Path = path
	}
	return err
}
