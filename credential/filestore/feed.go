package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
)

// The feed, logins/changes, tells other processes which logins to look at
// again, so that nobody lists thousands of files once a second. It is a header
// and one line per change, with the login's id and its new version. A writer
// adds its line before it changes the login, both under the lock of the
// logins: whoever reads the feed under that lock misses nothing, and a writer
// that dies leaves a line too many at worst.
//
// It is a hint between living processes, so nothing of it is synced. Who does
// not find its place in it reads every login. That is also what happens when a
// line could not be written and the feed was removed instead.

const (
	feedName = "changes"
	feedMax  = 256 << 10 // bytes, after which the older lines are dropped
	feedKeep = 64 << 10
)

// place is a place in the feed: how many bytes of lines have been written
// before it, ever. Epochs tell feeds apart. The zero place is in no feed.
type place struct {
	epoch string
	at    int64
}

func (p place) String() string {
	if p == (place{}) {
		return ""
	}
	return p.epoch + "-" + strconv.FormatInt(p.at, 10)
}

func parsePlace(text string) place {
	epoch, number, _ := strings.Cut(text, "-")
	at, err := strconv.ParseInt(number, 10, 64)
	if err != nil || epoch == "" {
		return place{}
	}
	return place{epoch, at}
}

// feed is the whole file, read.
type feed struct {
	start place  // of the first line that is kept
	lines []byte // a line without its end was cut short by a crash
}

func (s *Store) feedPath() string { return filepath.Join(s.dir, "logins", feedName) }

// readFeed returns the feed; a missing or damaged one has the zero place.
func (s *Store) readFeed() (feed, error) {
	raw, err := atomicfile.Read(s.feedPath(), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return feed{}, nil
	}
	if err != nil {
		return feed{}, err
	}
	header, lines, ok := bytes.Cut(raw, []byte("\n"))
	if start := parsePlace(string(header)); ok && start != (place{}) {
		return feed{start, lines}, nil
	}
	return feed{}, nil
}

func (f feed) end() place {
	if f.start == (place{}) {
		return place{}
	}
	return place{f.start.epoch, f.start.at + int64(len(f.lines))}
}

// since returns the changes after p; ok is false if p is not in f.
func (f feed) since(p place) (changes []credential.LoginChange, ok bool) {
	skip := p.at - f.start.at
	if p == (place{}) || p.epoch != f.start.epoch || skip < 0 || skip > int64(len(f.lines)) {
		return nil, false
	}
	for line := range strings.Lines(string(f.lines[skip:])) {
		id, number, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		version, err := strconv.ParseUint(number, 10, 64)
		if err == nil && isID(id) && strings.HasSuffix(line, "\n") {
			changes = append(changes, credential.LoginChange{ID: id, Version: version})
		}
	}
	return changes, true
}

// announce adds a change to the feed. The caller holds the lock of the logins
// and makes the change right after. Where the disk has no room for a line it
// has room for none at all: then everybody is to read everything.
func (s *Store) announce(id string, version uint64) (before, after place, err error) {
	line := fmt.Sprintf("%s %d\n", id, version)
	before, after, err = s.addLine(line)
	if err != nil {
		err = failure("announcing a change", s.feedPath(), removeHint(s.feedPath()))
		return place{}, place{}, err
	}
	return before, after, nil
}

func removeHint(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *Store) addLine(line string) (before, after place, err error) {
	file, err := os.OpenFile(s.feedPath(), os.O_RDWR|os.O_APPEND|noFollow, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return s.newFeed(feed{start: place{epoch: newID()}}, line)
	}
	if err != nil {
		return before, after, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return before, after, err
	}
	if !info.Mode().IsRegular() || info.Size() > feedMax {
		return s.shorten(line)
	}
	head := make([]byte, 64)
	n, _ := file.ReadAt(head, 0)
	header, _, ok := bytes.Cut(head[:n], []byte("\n"))
	start := parsePlace(string(header))
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil || !ok || start == (place{}) {
		return s.shorten(line)
	}
	if last[0] != '\n' {
		line = "\n" + line // the line before it was cut short
	}
	before = place{start.epoch, start.at + info.Size() - int64(len(header)) - 1}
	_, err = file.WriteString(line)
	return before, place{start.epoch, before.at + int64(len(line))}, err
}

// shorten replaces the feed by its newest lines and line.
func (s *Store) shorten(line string) (before, after place, err error) {
	f, err := s.readFeed()
	if err != nil || f.start == (place{}) {
		return s.newFeed(feed{start: place{epoch: newID()}}, line)
	}
	drop := max(0, len(f.lines)-feedKeep)
	drop += bytes.IndexByte(f.lines[drop:], '\n') + 1
	f.start.at += int64(drop)
	f.lines = f.lines[drop:]
	if n := len(f.lines); n > 0 && f.lines[n-1] != '\n' {
		line = "\n" + line
	}
	return s.newFeed(f, line)
}

func (s *Store) newFeed(f feed, line string) (before, after place, err error) {
	before = f.end()
	f.lines = append(f.lines, line...)
	err = atomicfile.Write(s.feedPath(), append([]byte(f.start.String()+"\n"), f.lines...), 0o600)
	return before, f.end(), err
}

// feedView remembers the last look at the feed.
type feedView struct {
	mu    sync.Mutex
	stamp string // of the file then
	end   place
}

// LoginChanges implements [credential.Store]. When nothing has happened it
// costs one lstat.
func (s *Store) LoginChanges(ctx context.Context, since string) (credential.LoginChanges, error) {
	from := parsePlace(since)
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	if info, err := os.Lstat(s.feedPath()); err == nil && from != (place{}) && from == s.view.end && stamp(info) == s.view.stamp {
		return credential.LoginChanges{Next: since}, nil
	}
	if _, err := os.Lstat(filepath.Join(s.dir, "logins")); errors.Is(err, fs.ErrNotExist) {
		return credential.LoginChanges{All: true}, nil // and looking makes no folder
	}
	lock, err := s.lockLogins(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return credential.LoginChanges{}, err
		}
		// A store that can only be read: look at everything, every time.
		return credential.LoginChanges{All: true}, nil
	}
	defer lock.Release()
	f, err := s.readFeed()
	if err != nil {
		return credential.LoginChanges{}, failure("reading changes", s.feedPath(), err)
	}
	s.view.stamp, s.view.end = "", f.end()
	if info, err := os.Lstat(s.feedPath()); err == nil {
		s.view.stamp = stamp(info)
	}
	changes, ok := f.since(from)
	return credential.LoginChanges{All: !ok, Logins: changes, Next: f.end().String()}, nil
}
