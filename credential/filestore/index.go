package filestore

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/usherauth/usher/credential"
)

// index knows which login of a key is live, so that starting one does not read
// them all. It holds no login, only names, and follows the feed. All of it is
// used under the lock of the logins.
type index struct {
	mu       sync.Mutex
	upTo     place // the changes before it are in
	live     map[credential.Key]string
	starting map[string]bool // ids of live logins in state starting
	// Ids of logins that could not be read. They are as none: a damaged one
	// keeps nobody from logging in, and ListLogins reports it. As it may only
	// have been out of reach, each is looked at again every time.
	unread map[string]bool
}

// catchUp brings the index up to the feed. The caller holds the lock of the
// logins and s.index.mu.
func (s *Store) catchUp() error {
	x := &s.index
	f, err := s.readFeed()
	if err != nil {
		return failure("reading changes", s.feedPath(), err)
	}
	changes, ok := f.since(x.upTo)
	if !ok {
		return s.readIndex(f.end())
	}
	latest := make(map[string]uint64, len(changes))
	for _, c := range changes {
		latest[c.ID] = c.Version
	}
	without := make(map[string]bool)
	for _, id := range slices.Collect(maps.Keys(x.unread)) {
		if _, changed := latest[id]; !changed {
			s.readInto(x, id, without)
		}
	}
	for id, version := range latest {
		if s.readInto(x, id, without) != version {
			s.unswept.Store(true) // its writer died
		}
	}
	if len(without) > 0 {
		maps.DeleteFunc(x.live, func(_ credential.Key, id string) bool { return without[id] })
		maps.DeleteFunc(x.starting, func(id string, _ bool) bool { return without[id] })
	}
	x.upTo = f.end()
	return nil
}

// readInto reads the login id into x and returns its version. One that is not
// there, or cannot be read, goes into without.
func (s *Store) readInto(x *index, id string, without map[string]bool) (version uint64) {
	l, err := s.readLogin(id)
	delete(x.unread, id)
	if err == nil {
		x.note(l)
		return l.Version
	}
	without[id] = true
	if !errors.Is(err, credential.ErrNotFound) {
		x.unread[id] = true
	}
	return 0
}

// readIndex makes the index anew.
func (s *Store) readIndex(upTo place) error {
	x := &s.index
	x.live, x.starting, x.unread = make(map[credential.Key]string), make(map[string]bool), make(map[string]bool)
	x.upTo = place{}
	s.unswept.Store(true) // whoever died meanwhile was not seen
	ids, err := s.loginIDs()
	if err != nil {
		return err
	}
	without := make(map[string]bool) // nothing is there yet to be taken out
	for _, id := range ids {
		s.readInto(x, id, without)
	}
	x.upTo = upTo
	return nil
}

// note takes l as the newest state of its login.
func (x *index) note(l credential.Login) {
	delete(x.starting, l.ID)
	switch {
	case l.Live():
		x.live[l.Key] = l.ID
		if l.Status() == credential.LoginStarting {
			x.starting[l.ID] = true
		}
	case x.live[l.Key] == l.ID:
		delete(x.live, l.Key)
	}
}

// change makes a change of the login l, or removes it, when the feed has it.
// The caller holds the lock of the logins.
func (s *Store) change(l credential.Login, removed bool, do func() error) error {
	version := l.Version
	if removed {
		version = 0
	}
	before, after, err := s.announce(l.ID, version)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err // the index meets the line, and looks
	}
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	s.index.follow(l, removed, before, after)
	return nil
}

// follow takes in a change of l, made or removed, whose line in the feed is
// between before and after, unless there are lines before that it has not met.
// The caller holds x.mu.
func (x *index) follow(l credential.Login, removed bool, before, after place) {
	if x.live == nil || x.upTo != before {
		return
	}
	x.upTo = after
	switch {
	case !removed:
		x.note(l)
	case x.live[l.Key] == l.ID:
		delete(x.live, l.Key)
		delete(x.starting, l.ID)
	}
}

// abandoned returns the starting logins whose owner is dead: the provider was
// never heard for them, nor ever will be, since nobody claims a login that
// only starts. The caller holds s.index.mu.
func (s *Store) abandoned() ([]credential.Login, error) {
	var all []credential.Login
	for _, id := range slices.Sorted(maps.Keys(s.index.starting)) {
		l, err := s.readLogin(id)
		if err != nil || l.Status() != credential.LoginStarting {
			continue
		}
		alive, err := s.alive(l.Owner)
		if err != nil {
			return nil, err
		}
		if !alive {
			all = append(all, l)
		}
	}
	return all, nil
}
