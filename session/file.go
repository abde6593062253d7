package session

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/failpoint"
)

// reserveBlock is how many numbers are reserved at a time: one write to the
// disk for that many events.
const reserveBlock = 1024

// maxFile bounds the file: [MaxSessions] with folders of the longest names, of
// which JSON may write each byte as six.
const maxFile = MaxSessions * (6*MaxCwd + 256)

// maxNumber is the largest number that every client of the wire can read:
// JavaScript's largest safe integer.
const maxNumber = 1<<53 - 1

// state is the form of the file.
type state struct {
	V int `json:"v"`
	// Reserved is the largest number that may have been given out.
	Reserved uint64  `json:"reserved"`
	Sessions []saved `json:"sessions"`
}

type saved struct {
	ID        string    `json:"id"`
	Cwd       string    `json:"cwd"`
	CreatedAt time.Time `json:"created_at"`
	Base      uint64    `json:"base"`
}

// load takes over what the file keeps.
func (h *Hub) load() {
	if h.cfg.Path == "" {
		return
	}
	kept, err := read(h.cfg.Path)
	if err != nil {
		h.cfg.Log.Warn("the sessions are lost: clients have to make new ones", "error", err)
		return
	}
	h.reserved = kept.Reserved
	for _, s := range kept.Sessions {
		h.sessions[s.ID] = newSession(Session{ID: s.ID, Cwd: s.Cwd, CreatedAt: s.CreatedAt}, s.Base)
	}
}

// read reads and checks the file. A missing one is empty.
func read(path string) (kept state, err error) {
	data, err := atomicfile.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	if err != nil {
		return state{}, fmt.Errorf("reading sessions: %w", err)
	}
	if err := json.Unmarshal(data, &kept); err != nil {
		return state{}, fmt.Errorf("decoding %s: %w", path, err)
	}
	if err := kept.check(); err != nil {
		return state{}, fmt.Errorf("checking %s: %w", path, err)
	}
	return kept, nil
}

func (s state) check() error {
	if s.V != 1 {
		return fmt.Errorf("version %d is not known", s.V)
	}
	if s.Reserved > maxNumber || len(s.Sessions) > MaxSessions {
		return errors.New("numbers out of range")
	}
	seen := make(map[string]bool)
	for _, one := range s.Sessions {
		if one.ID == "" || seen[one.ID] || one.Base > s.Reserved {
			return errors.New("sessions that contradict themselves")
		}
		seen[one.ID] = true
	}
	return nil
}

// reserveNext makes sure that the next number may be given out. Without
// sessions nobody sees numbers, and none has to be remembered.
func (h *Hub) reserveNext() {
	h.mu.Lock()
	ready := len(h.sessions) == 0 || h.ring.Head() < h.reserved
	h.mu.Unlock()
	if ready {
		return
	}
	h.saving.Lock()
	defer h.saving.Unlock()
	h.save()
}

// save writes the sessions and reserves the next numbers. It is called with
// saving held. A disk that fails must not hold up logins: what was not written
// is written the next time, and the worst that can come of it is that a
// restart forgets sessions or repeats ids under another epoch.
func (h *Hub) save() {
	if h.cfg.Path == "" {
		return
	}
	h.mu.Lock()
	now := state{V: 1, Reserved: h.ring.Head() + reserveBlock, Sessions: make([]saved, 0, len(h.sessions))}
	for _, s := range h.sessions {
		now.Sessions = append(now.Sessions, saved{s.ID, s.Cwd, s.CreatedAt, s.base})
	}
	h.mu.Unlock()
	slices.SortFunc(now.Sessions, func(a, b saved) int { return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID)) })
	data, err := json.Marshal(now)
	if err == nil {
		err = atomicfile.Write(h.cfg.Path, append(data, '\n'), 0o600)
	}
	if err != nil {
		h.cfg.Log.Warn("sessions are not safe from a restart", "error", err)
		return
	}
	failpoint.Hit("session.reserved")
	h.mu.Lock()
	h.reserved = now.Reserved
	h.mu.Unlock()
}
