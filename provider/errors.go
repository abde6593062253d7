package provider

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrUnknown is matched by the error for a name that no provider has.
	ErrUnknown = errors.New("unknown provider")
	// ErrExists is matched by the error for adding a provider whose file exists.
	ErrExists = errors.New("provider exists")
	// ErrPreset is matched by the error for removing what the program brings.
	ErrPreset = errors.New("a preset cannot be removed")
	// ErrNoLoginEndpoint is matched by the error for a provider that neither
	// configures nor publishes an endpoint where a login could begin.
	ErrNoLoginEndpoint = errors.New("neither a device authorization endpoint nor an authorization endpoint")
)

// UnknownError is the error for a name that no provider has. It matches
// [ErrUnknown].
type UnknownError struct {
	// Name is what was asked for.
	Name string
	// Suggestion is a known name that Name is probably a slip for, or empty.
	Suggestion string
	// Known are all known names, sorted.
	Known []string
}

func (e *UnknownError) Error() string {
	if e.Suggestion != "" {
		return fmt.Sprintf("%v %q, did you mean %q?", ErrUnknown, e.Name, e.Suggestion)
	}
	return fmt.Sprintf("%v %q, known are %s", ErrUnknown, e.Name, strings.Join(e.Known, ", "))
}

// Is reports whether target is [ErrUnknown].
func (e *UnknownError) Is(target error) bool { return target == ErrUnknown }

// IncompleteError is the error for a provider that a login cannot use until the
// user completes it.
type IncompleteError struct {
	// Provider is its name.
	Provider string
	// Missing is the key that has to be given.
	Missing string
	// Help tells where to get it, or is empty.
	Help string
}

func (e *IncompleteError) Error() string {
	return fmt.Sprintf("provider %s has no %s", e.Provider, e.Missing)
}
