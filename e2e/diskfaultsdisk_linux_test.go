package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// mount makes the data folder a disk of its own.
func (h *home) mount(options string) {
	h.t.Helper()
	if err := os.Mkdir(h.dir, 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", h.dir, "tmpfs", 0, "mode=0700,nr_inodes=256,"+options); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		for syscall.Unmount(h.dir, syscall.MNT_DETACH) == nil { // what lies on top, too
		}
	})
}

func (s *stock) filler() string { return filepath.Join(s.dir, "filler") }

// fill leaves no byte on the disk.
func (s *stock) fill() {
	s.t.Helper()
	f, err := os.Create(s.filler())
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		s.t.Fatalf("filling the disk: %v", err)
	}
}

func (s *stock) free() {
	s.t.Helper()
	if err := os.RemoveAll(s.filler()); err != nil {
		s.t.Fatal(err)
	}
}

// fillWithFiles leaves no place for a file on the disk.
func (s *stock) fillWithFiles() {
	s.t.Helper()
	err := os.Mkdir(s.filler(), 0o700)
	for i := 0; err == nil; i++ {
		err = os.WriteFile(filepath.Join(s.filler(), fmt.Sprint(i)), nil, 0o600)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		s.t.Fatalf("filling the disk with files: %v", err)
	}
}

func (s *stock) freeFiles() { s.free() }

// protect puts a read-only view of the disk over it.
func (s *stock) protect() {
	s.t.Helper()
	const flags = syscall.MS_BIND | syscall.MS_REMOUNT | syscall.MS_RDONLY
	if err := errors.Join(syscall.Mount(s.dir, s.dir, "", syscall.MS_BIND, ""), syscall.Mount("", s.dir, "", flags, "")); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stock) unprotect() {
	s.t.Helper()
	if err := syscall.Unmount(s.dir, syscall.MNT_DETACH); err != nil {
		s.t.Fatal(err)
	}
}

// nobody is another user.
const nobody = 65534

func giveAway(what string) func(*stock) { return chown(what, nobody) }
func takeBack(what string) func(*stock) { return chown(what, 0) }

func chown(what string, uid int) func(*stock) {
	return func(s *stock) {
		s.t.Helper()
		found, err := filepath.Glob(filepath.Join(s.dir, what))
		if err != nil || len(found) != 1 {
			s.t.Fatalf("%s: %q, %v", what, found, err)
		}
		if err := os.Chown(found[0], uid, uid); err != nil {
			s.t.Fatal(err)
		}
	}
}

// victim is what a planted link leads to. Nothing may happen to it.
func (s *stock) victim() string { return filepath.Join(s.base, "victim") }

const unharmed = "nothing to do with usher\n"

// plant puts a link to the victim in the place of something in the credential's
// folder, or of that folder.
func plant(name string) func(*stock) {
	return func(s *stock) {
		s.t.Helper()
		if err := os.WriteFile(s.victim(), []byte(unharmed), 0o600); err != nil {
			s.t.Fatal(err)
		}
		place, target := s.place(name), s.victim()
		if name == "." {
			target = place + ".away"
		}
		if err := os.Rename(place, place+".away"); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.t.Fatal(err)
		}
		if err := os.Symlink(target, place); err != nil {
			s.t.Fatal(err)
		}
	}
}

func uproot(name string) func(*stock) {
	return func(s *stock) {
		s.t.Helper()
		place := s.place(name)
		if text, err := os.ReadFile(s.victim()); err != nil || string(text) != unharmed {
			s.t.Errorf("what the link leads to is %q now, %v", text, err)
		}
		if err := os.Remove(place); err != nil {
			s.t.Fatal(err)
		}
		if err := os.Rename(place+".away", place); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.t.Fatal(err)
		}
	}
}

func (s *stock) place(name string) string {
	s.t.Helper()
	return filepath.Join(s.folder(s.keys[0]), name)
}
