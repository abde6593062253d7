//go:build weakrefresh

package filestore

import (
	"context"
	"os"
	"time"

	"github.com/usherauth/usher/internal/filelock"
)

// stealAfter is the time after which the variant takes a held lock, as tools do
// whose lock is a file with an age.
const stealAfter = 300 * time.Millisecond

// lockRotation is the mistake that USHER_REFRESH_VARIANT names. Never build with
// the tag weakrefresh but for the tests that measure it.
func lockRotation(ctx context.Context, path string) (*filelock.Lock, error) {
	switch os.Getenv("USHER_REFRESH_VARIANT") {
	case "no-lock":
		return filelock.Acquire(ctx, path+"."+newID())
	case "steal":
		for {
			soon, cancel := context.WithTimeout(ctx, stealAfter)
			lock, err := filelock.Acquire(soon, path)
			cancel()
			if err == nil || ctx.Err() != nil {
				return lock, err
			}
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				return nil, err
			}
		}
	}
	return filelock.Acquire(ctx, path)
}
