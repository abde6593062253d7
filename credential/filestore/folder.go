package filestore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/filelock"
)

// tenant stands above every key; there is one.
const tenant = "default"

// folder is where everything about one key lies.
type folder struct {
	path  string
	spare spareDir       // its place in the runtime directory
	key   credential.Key // zero: whichever key's folder this is
}

func (s *Store) folder(key credential.Key) folder {
	f := s.folderNamed(folderName(key))
	f.key = key
	return f
}

func (s *Store) folderNamed(name string) folder {
	return folder{path: filepath.Join(s.dir, "credentials", name), spare: s.spare.sub(name)}
}

func folderName(key credential.Key) string {
	sum := sha256.Sum256([]byte(tenant + "\x00" + key.Path()))
	return hex.EncodeToString(sum[:16])
}

func isFolderName(name string) bool {
	raw, err := hex.DecodeString(name)
	return err == nil && len(raw) == 16
}

// damagedPrefix is how the names of damaged records that were kept begin.
const damagedPrefix = "cred.json.corrupt-"

func (f folder) file(name string) string { return filepath.Join(f.path, name) }
func (f folder) current() string         { return f.file("cred.json") }
func (f folder) previous() string        { return f.file("cred.prev") }
func (f folder) intent() string          { return f.file("intent.json") }
func (f folder) spill() string           { return f.file("spill") }

// record is what a folder holds at one moment.
type record struct {
	cred       *credential.Credential // nil: deleted or never stored
	grant      string
	generation uint64 // counts on, whatever became of the file; 0: never stored
	raw        []byte // contents of cred.json; nil if there is none or it is huge
	corrupt    bool   // cred.json cannot be understood; the rest is from cred.prev
}

// read returns the record. It needs no lock.
func (f folder) read() (record, error) {
	now, err := f.load()
	if err == nil && now.corrupt && now.cred == nil {
		err = &Error{Op: "reading a credential", Path: f.current(),
			Err: credential.ErrDamaged}
	}
	return now, err
}

// readAt is read for a change that goes from the given generation.
func (f folder) readAt(generation uint64) (record, error) {
	now, err := f.read()
	if err == nil {
		err = now.check(generation)
	}
	return now, err
}

// load is read for writers, to whom a damaged file is not an error: they
// replace it.
func (f folder) load() (record, error) {
	raw, err := atomicfile.Read(f.current(), maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// Whoever removed cred.json wanted it gone; only the count goes on.
		prev, err := f.loadPrevious()
		return record{generation: prev.generation}, err
	case err != nil && !errors.Is(err, atomicfile.ErrTooLarge):
		return record{}, failure("reading a credential", f.path, err)
	}
	if err == nil {
		now, err := f.decode(raw)
		if err == nil {
			now.raw = raw
			return now, nil
		}
		if wrong := (*Error)(nil); errors.As(err, &wrong) {
			return record{}, err
		}
	}
	now, err := f.loadPrevious()
	now.raw, now.corrupt = raw, true
	now.generation = max(now.generation, 1) // no earlier record: it was the first
	return now, err
}

// loadPrevious reads cred.prev, counted as the generation after it.
func (f folder) loadPrevious() (record, error) {
	prev, err := f.readPrevious()
	if err != nil || prev.raw == nil {
		return record{}, err
	}
	prev.raw = nil
	prev.generation++
	if prev.cred != nil {
		prev.cred.Generation = prev.generation
	}
	return prev, nil
}

// readPrevious reads cred.prev as it is. A missing or damaged one is as none.
func (f folder) readPrevious() (record, error) {
	raw, err := atomicfile.Read(f.previous(), maxFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, atomicfile.ErrTooLarge) {
		return record{}, nil
	}
	if err != nil {
		return record{}, failure("reading a credential", f.path, err)
	}
	prev, err := f.decode(raw)
	if wrong := (*Error)(nil); errors.As(err, &wrong) {
		return record{}, err
	}
	if err != nil {
		return record{}, nil
	}
	prev.raw = raw
	return prev, nil
}

// decode reads a stored form. Contents that belong to another folder or a
// later version are an [Error]; any other error means damaged.
func (f folder) decode(raw []byte) (record, error) {
	cred, tomb, err := credential.Decode(raw)
	if errors.Is(err, credential.ErrVersion) {
		// The token in cred.prev may be spent.
		return record{}, &Error{Op: "reading a credential", Path: f.path, Err: err}
	}
	if err != nil {
		return record{}, err
	}
	var key credential.Key
	var now record
	if cred != nil {
		key, now = cred.Key, record{cred: cred, grant: cred.Grant, generation: cred.Generation}
	} else {
		key, now = tomb.Key, record{grant: tomb.Grant, generation: tomb.Generation}
	}
	if folderName(key) != filepath.Base(f.path) {
		return record{}, &Error{Op: "reading a credential", Path: f.path, Err: fmt.Errorf("the file belongs to %s", key)}
	}
	return now, nil
}

// buried reports whether r is the tombstone of a deleted credential, rather
// than nothing at all.
func (r record) buried() bool { return r.cred == nil && r.raw != nil }

// overtakes reports whether r is a credential of grant beyond generation.
func (r record) overtakes(grant string, generation uint64) bool {
	return r.cred != nil && r.grant == grant && r.generation > generation
}

// check is the comparison of a compare-and-swap.
func (r record) check(generation uint64) error {
	switch {
	case r.cred == nil:
		return fmt.Errorf("%w: %w", credential.ErrConflict, credential.ErrNotFound)
	case r.generation != generation:
		return fmt.Errorf("%w: generation is %d, expected %d", credential.ErrConflict, r.generation, generation)
	}
	return nil
}

// lockWrite takes write.lock, creating the folder if need be.
func (f folder) lockWrite(ctx context.Context) (*filelock.Lock, error) {
	if err := atomicfile.EnsureDir(f.path); err != nil {
		return nil, failure("preparing a change", f.path, err)
	}
	lock, err := filelock.Acquire(ctx, f.file("write.lock"))
	return lock, failure("locking for a change", f.path, err)
}

// store replaces the record now by data. The caller holds write.lock and has
// read now under it.
func (f folder) store(now record, data []byte) error {
	if err := f.savePrevious(now); err != nil {
		return err
	}
	return failure("writing a credential", f.path, write(f.current(), data))
}

// savePrevious makes the record now the previous one. A write to the same
// folder must follow. What is further on than the record stays, as it can only
// be there if somebody put an old cred.json back: see [rotation.Candidates].
func (f folder) savePrevious(now record) error {
	switch {
	case now.corrupt:
		return f.quarantine(now) // cred.prev is better than what would replace it
	case now.generation == 0:
		return f.setRoomAside()
	case now.raw == nil:
		return nil
	}
	saved, err := f.readPrevious()
	if err == nil && (bytes.Equal(saved.raw, now.raw) || saved.overtakes(now.grant, now.generation)) {
		return nil
	}
	return failure("saving the previous credential", f.path, atomicfile.WriteBefore(f.previous(), now.raw, 0o600))
}

// setRoomAside gives a first credential a previous record as well, one that
// says there was none: where the disk is full, a logout has to free what its
// tombstone needs.
func (f folder) setRoomAside() error {
	data, err := credential.EncodeTombstone(credential.Tombstone{Key: f.key})
	if err != nil {
		return err
	}
	return failure("setting room aside", f.path, atomicfile.WriteBefore(f.previous(), data, 0o600))
}

// quarantine keeps a damaged cred.json for whoever can make sense of it.
func (f folder) quarantine(now record) error {
	path := f.file(damagedPrefix + time.Now().UTC().Format("20060102T150405.000000000"))
	var err error
	if now.raw != nil {
		err = atomicfile.WriteBefore(path, now.raw, 0o600)
	} else {
		err = os.Rename(f.current(), path) // too large to copy
	}
	return failure("keeping a damaged credential", f.path, err)
}
