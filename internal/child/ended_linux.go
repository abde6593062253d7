package child

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Ended returns a channel that is closed when the process of that id has ended.
// The process must be there at the call; another one that gets its id later is
// not taken for it.
func Ended(pid int) <-chan struct{} {
	ended := make(chan struct{})
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		go poll(pid, ended) // the kernel is older than 5.3, or it has gone
		return ended
	}
	go func() {
		defer close(ended)
		defer unix.Close(fd)
		for {
			_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
			if !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return ended
}
