//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package term

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// silent is what reading yields when nothing came in time.
const silent = -1

// maxEmpty is how many reads in a row may yield nothing before the terminal
// counts as gone: it says that it can be read then, and has nothing.
const maxEmpty = 3

// input is a terminal to read single keys from.
type input struct {
	fd           int
	old, ours    *unix.Termios // its mode as it was, and as it is read; nil before
	woken, waker *os.File      // a pipe, whose byte ends a wait
	empty        int           // reads in a row that yielded nothing
}

func openInput(f *os.File) (*input, error) {
	woken, waker, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	i := &input{fd: int(f.Fd()), woken: woken, waker: waker}
	// Whoever started us may have left us so many files that select cannot name ours.
	if max(i.fd, int(woken.Fd())) >= unix.FD_SETSIZE {
		i.close()
		return nil, errors.New("too many files are open")
	}
	return i, nil
}

func (i *input) close() {
	_ = i.woken.Close()
	_ = i.waker.Close()
}

// wake ends a wait. It may be called at any time, and after close.
func (i *input) wake() { _, _ = i.waker.Write([]byte{0}) }

func (i *input) foreground() bool { return inForeground(i.fd) }

// setMode makes the terminal pass on each key at once and show none. Signals
// stay, and so does what it does to output.
func (i *input) setMode() error {
	now, err := unix.IoctlGetTermios(i.fd, getMode)
	if err != nil {
		return err
	}
	if i.ours == nil || *now != *i.ours {
		i.old = now
	}
	ours := *i.old
	ours.Lflag &^= unix.ICANON | unix.ECHO
	ours.Cc[unix.VMIN], ours.Cc[unix.VTIME] = 0, 0
	i.ours = &ours
	return unix.IoctlSetTermios(i.fd, setMode, i.ours)
}

// restoreMode undoes setMode.
func (i *input) restoreMode() {
	// A terminal that is gone needs no mode.
	_ = unix.IoctlSetTermios(i.fd, setMode, i.old)
}

// read reads what there is into p, and waits for it for as long as patience, 0
// for ever. It yields silent if nothing came by then, and 0 if the wait was ended
// early. What came while the process was put into the background is not its own.
func (i *input) read(p []byte, patience time.Duration) (int, error) {
	readable, woken, err := i.wait(patience, i.fd)
	switch {
	case err != nil || woken || readable && !i.foreground():
		return 0, err
	case !readable:
		return silent, nil
	}
	n, err := unix.Read(i.fd, p)
	switch {
	case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
		return 0, nil
	case err != nil:
		return 0, err
	case n > 0:
		i.empty = 0
		return n, nil
	}
	if i.empty++; i.empty > maxEmpty {
		return 0, io.EOF
	}
	return 0, nil
}

// rest waits without reading.
func (i *input) rest(d time.Duration) { _, _, _ = i.wait(d, -1) }

// wait waits until fd can be read or somebody calls wake, at most for d, 0 for
// ever. It uses select, since poll of macOS does not know terminals.
func (i *input) wait(d time.Duration, fd int) (readable, woken bool, err error) {
	var set unix.FdSet
	pipe := int(i.woken.Fd())
	set.Set(pipe)
	if fd >= 0 {
		set.Set(fd)
	}
	var limit *unix.Timeval
	if d > 0 {
		t := unix.NsecToTimeval(int64(d))
		limit = &t
	}
	switch _, err := unix.Select(max(pipe, fd)+1, &set, nil, nil, limit); {
	case errors.Is(err, unix.EINTR):
		return false, true, nil
	case err != nil:
		return false, false, err
	}
	if set.IsSet(pipe) {
		_, err = i.woken.Read(make([]byte, 64))
		return false, true, err
	}
	return fd >= 0 && set.IsSet(fd), false, nil
}
