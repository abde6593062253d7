package filestore

import (
	"errors"
	"io/fs"
	"os"
	"sync"
)

// cache remembers parsed files for as long as their stamp stays the same. The
// zero cache is ready to use. Values are shared: callers copy what they return.
type cache[T any] struct {
	mu      sync.Mutex
	entries map[string]cached[T] // id -> last parse
}

type cached[T any] struct {
	stamp string
	value *T // nil: there is nothing, such as a tombstone
}

// get returns the value of the file under id, parsing it with parse if it
// changed since. A missing file is nil without an error.
func (c *cache[T]) get(id, file string, parse func() (*T, error)) (*T, error) {
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failure("looking at a file", file, err)
	}
	// Taken before the parse: should the file change in between, the entry is
	// newer than its stamp and will merely be parsed again.
	now := stamp(info)
	c.mu.Lock()
	entry, ok := c.entries[id]
	c.mu.Unlock()
	if ok && entry.stamp == now {
		return entry.value, nil
	}
	value, err := parse()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = make(map[string]cached[T])
	}
	c.entries[id] = cached[T]{now, value}
	return value, nil
}

// keep forgets every entry that is not in ids.
func (c *cache[T]) keep(ids []string) {
	kept := make(map[string]bool, len(ids))
	for _, id := range ids {
		kept[id] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.entries {
		if !kept[id] {
			delete(c.entries, id)
		}
	}
}
