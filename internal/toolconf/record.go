package toolconf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/filelock"
)

// Record is what the journal has about one file of one tool.
type Record struct {
	Tool string `json:"tool"`
	// Path is the file as it was named: absolute, maybe a link.
	Path string `json:"path"`
	// Items are what the tool is told there.
	Items []Item `json:"items,omitempty"`
	// Edits put them there, each into the text that the one before it left.
	Edits []Edit `json:"edits,omitempty"`
	// Before and After are the SHA-256 hashes of the text without and with them.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Created tells that there was no file before.
	Created bool `json:"created,omitempty"`
	// Folders were made for it, the outermost one first.
	Folders []string `json:"folders,omitempty"`
	// Target is what a link leads to that was made at Path; a link has no edits.
	Target string `json:"target,omitempty"`
	// Earlier is what the journal had before, until the file is written.
	Earlier *Record `json:"earlier,omitempty"`
}

// journal is the folder of the records.
type journal struct{ dir string }

// journalOf is the journal in the data folder home, which need not be there.
func journalOf(home string) journal { return journal{filepath.Join(home, "setup")} }

// lockPatience is how long another setup may take.
const lockPatience = 10 * time.Second

// openJournal makes the journal in the data folder home if it is missing, and
// keeps others out of it until it is closed.
func openJournal(home string) (j journal, closeIt func(), err error) {
	j = journalOf(home)
	if err := atomicfile.EnsureDir(j.dir); err != nil {
		return j, nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	lock, err := filelock.Acquire(ctx, filepath.Join(j.dir, "lock"))
	if err != nil {
		return j, nil, err
	}
	return j, func() { _ = lock.Release() }, nil
}

// Records returns what is set up, by the journal in the data folder home. It
// creates nothing.
func Records(home string) ([]Record, error) {
	j := journalOf(home)
	entries, err := os.ReadDir(j.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var records []Record
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".json") {
			continue
		}
		r, err := j.read(filepath.Join(j.dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		records = append(records, *r)
	}
	return records, nil
}

func (j journal) path(tool, path string) string {
	return filepath.Join(j.dir, tool+"-"+hash(path)[:16]+".json")
}

// find returns the record about a file, nil if there is none.
func (j journal) find(tool, path string) (*Record, error) {
	r, err := j.read(j.path(tool, path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return r, err
}

func (j journal) read(file string) (*Record, error) {
	data, err := atomicfile.Read(file, maxFile)
	if err != nil {
		return nil, err
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return &r, nil
}

func (j journal) write(r Record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(j.path(r.Tool, r.Path), append(data, '\n'), 0o600)
}

func (j journal) drop(r Record) error {
	if err := os.Remove(j.path(r.Tool, r.Path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return atomicfile.SyncDir(j.dir)
}
