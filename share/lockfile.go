package share

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/usherauth/usher/internal/uuid"
)

const (
	// staleAfter is how long a lock counts as held after its modification time.
	staleAfter = 35 * time.Second
	// staleUnchanged is how long one from the future does that was not touched
	// while we looked: a clock has been set back, and its age cannot be told.
	staleUnchanged = 15 * time.Second
	// maxLock is far above what a tool writes.
	maxLock = 4 << 10
)

// ourMark begins a lock of ours whose holder has it locked by the kernel too,
// and goes on with the name of the machine: the kernel of another one, or of a
// container's host, may not know. The tool never reads its lock.
func ourMark() string {
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return "usher " + host + " "
}

// plant makes the lock at path; fs.ErrExist if it is there. The file stays open
// to tell it from others.
func plant(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	text := uuid.New()
	// Marked before it says so: whoever reads the mark may rely on it.
	if mark := ourMark(); mark != "" && markAlive(f) {
		text = mark + text
	}
	if _, err = f.WriteString(text); err == nil {
		now := time.Now() // the clock that others compare with, on a network file system too
		err = os.Chtimes(path, now, now)
	}
	if err != nil {
		return nil, errors.Join(err, uproot(f, path))
	}
	return f, nil
}

// sighting is what a lock looked like.
type sighting struct {
	info fs.FileInfo
	text string
	dead bool // its holder was a process of ours, and has died
}

// same reports whether nobody touched or replaced the lock between two
// sightings.
func (s sighting) same(o sighting) bool {
	return s.info != nil && o.info != nil && os.SameFile(s.info, o.info) &&
		s.info.ModTime().Equal(o.info.ModTime()) && s.text == o.text
}

// sight looks at the lock at path, which must be a file of our own user.
func sight(path string) (sighting, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return sighting{}, err
	}
	if !info.Mode().IsRegular() {
		return sighting{}, fmt.Errorf("refusing %s: it is not a regular file; remove it", path)
	}
	if uid, is := foreign(info); is {
		return sighting{}, fmt.Errorf("refusing %s: it belongs to uid %d; remove it if that user runs no qwen-code", path, uid)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return sighting{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxLock))
	if err != nil {
		return sighting{}, err
	}
	if info, err = f.Stat(); err != nil {
		return sighting{}, err
	}
	s := sighting{info: info, text: string(text)}
	if mark := ourMark(); mark != "" && strings.HasPrefix(s.text, mark) && !isAlive(f) {
		// Unless it was given back meanwhile, and is not there any more.
		named, err := os.Lstat(path)
		if err != nil {
			return sighting{}, err
		}
		s.dead = os.SameFile(named, info)
	}
	return s, nil
}

// watch judges a lock by looking at it again and again.
type watch struct {
	last  sighting
	since time.Time // when it was seen for the first time as it is
}

// look reports whether the lock at path is nobody's any more; w.last is the
// lock that was judged. It is fs.ErrNotExist when there is none.
func (w *watch) look(path string) (stale bool, err error) {
	s, err := sight(path)
	if err != nil {
		return false, err
	}
	now := time.Now()
	if !s.same(w.last) {
		w.since = now
	}
	w.last = s
	age := now.Sub(s.info.ModTime())
	switch {
	case s.dead:
		return true, nil
	case age < 0:
		return now.Sub(w.since) >= staleUnchanged, nil
	default:
		return age >= staleAfter, nil
	}
}

// takeOver removes the lock that was judged. Somebody may have taken it over
// since, and one that is not the judged one is put back.
func takeOver(path string, judged sighting) error {
	aside := path + ".stale." + uuid.New()
	if err := os.Rename(path, aside); err != nil {
		return err
	}
	if found, err := sight(aside); err != nil || !found.same(judged) {
		// Unless there is a new one already: then two hold it, as whenever the
		// tool takes over a lock that is held.
		_ = os.Link(aside, path)
	}
	return os.Remove(aside)
}
