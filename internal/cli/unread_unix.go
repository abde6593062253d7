//go:build unix

package cli

import (
	"context"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// unreadLook is how often untilUnread looks.
const unreadLook = 500 * time.Millisecond

// untilUnread returns a context that also ends soon after nobody can read any
// more what is written to w: a pipe whose reader has gone, a terminal that was
// closed. A command that mostly waits would only notice when it writes again.
func untilUnread(ctx context.Context, w io.Writer) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	f, ok := w.(*os.File)
	if !ok {
		return ctx, cancel
	}
	fds := []unix.PollFd{{Fd: int32(f.Fd())}}
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			n, err := unix.Poll(fds, int(unreadLook/time.Millisecond))
			switch {
			case err == unix.EINTR:
			case err != nil:
				<-ctx.Done() // it cannot be known
			case n > 0:
				return
			}
		}
	}()
	return ctx, cancel
}
