//go:build !weakrefresh

package filestore

import (
	"context"

	"github.com/usherauth/usher/internal/filelock"
)

// lockRotation takes the lock that a refresh token is spent under: the kernel's,
// on a file that is never deleted. It has no time limit, is never stolen, and
// dies with its holder. The tag weakrefresh puts variants in its place, for the
// tests that measure what that is worth.
func lockRotation(ctx context.Context, path string) (*filelock.Lock, error) {
	return filelock.Acquire(ctx, path)
}
