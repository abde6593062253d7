package ptytest

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Open returns both ends of a new pseudo-terminal: the one that a person has
// before them, and the one for programs. The caller closes both. Neither becomes
// the terminal of this process.
func Open(t testing.TB, columns, rows int) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	number := 0
	control(t, person, func(fd int) error {
		number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	})
	SetSize(t, person, columns, rows)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return person, program
}

// SetSize gives the window a size, which tells the programs in it.
func SetSize(t testing.TB, person *os.File, columns, rows int) {
	t.Helper()
	control(t, person, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(rows), Col: uint16(columns)})
	})
}

// Mode is the mode that the programs' end is in.
func Mode(t testing.TB, person *os.File) (mode unix.Termios) {
	t.Helper()
	control(t, person, func(fd int) error {
		m, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err == nil {
			mode = *m
		}
		return err
	})
	return mode
}

// control calls do with the number of f. File.Fd would make Close wait for a
// read.
func control(t testing.TB, f *os.File, do func(fd int) error) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var done error
	asked := raw.Control(func(fd uintptr) { done = do(int(fd)) })
	if err := errors.Join(asked, done); err != nil {
		t.Fatal(err)
	}
}
