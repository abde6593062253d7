package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
)

// Names in spill/: an answer is <generation>-<digest of the spent refresh
// token>-<random>.json, an answer that could not be understood raw-<random>.

const rawPrefix = "raw-"

// maxRaw is how many answers that could not be understood are kept: behind a
// captive portal every attempt to refresh brings one.
const maxRaw = 8

// pruneRaw removes the oldest raw answers above maxRaw, as far as it can; what
// it leaves, the next call finds. The caller holds lock.
func (f folder) pruneRaw() {
	entries, err := readDir(f.spill())
	if err != nil {
		return
	}
	var raw []fs.FileInfo
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && strings.HasPrefix(entry.Name(), rawPrefix) {
			raw = append(raw, info)
		}
	}
	slices.SortFunc(raw, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for _, info := range raw[min(maxRaw, len(raw)):] {
		_ = os.Remove(filepath.Join(f.spill(), info.Name()))
	}
}

// keepAside durably puts next into spill/: the answer to the refresh token of
// from. It returns the file's path.
func (f folder) keepAside(next, from credential.Credential) (string, error) {
	data, err := credential.Encode(next)
	if err != nil {
		return "", err
	}
	return f.writeSpill(fmt.Sprintf("%d-%s-%s.json", next.Generation, digest(from), newID()), data)
}

func (f folder) writeSpill(name string, data []byte) (string, error) {
	path := filepath.Join(f.spill(), name)
	err := atomicfile.EnsureDir(f.spill())
	if err == nil {
		err = atomicfile.Write(path, data, 0o600)
	}
	return path, failure("keeping an answer aside", f.spill(), err)
}

// aside is an answer found in spill/.
type aside struct {
	path  string
	cred  credential.Credential
	spent string // digest of the refresh token it is the answer to
}

// succeeds reports whether a is what the record c would have become.
func (a aside) succeeds(c credential.Credential) bool {
	if a.cred.Grant != c.Grant {
		return false
	}
	return a.cred.Generation > c.Generation || a.spent == digest(c) && !a.cred.RefreshToken.Equal(c.RefreshToken)
}

// asides returns what can be understood of spill/; the rest stays for people.
func (f folder) asides() ([]aside, error) {
	entries, err := readDir(f.spill())
	if err != nil {
		return nil, failure("looking for answers kept aside", f.spill(), err)
	}
	var all []aside
	for _, entry := range entries {
		parts := strings.Split(entry.Name(), "-")
		if len(parts) != 3 {
			continue
		}
		path := filepath.Join(f.spill(), entry.Name())
		raw, err := atomicfile.Read(path, maxFile)
		if err != nil {
			continue
		}
		if found, err := f.decode(raw); err == nil && found.cred != nil {
			all = append(all, aside{path, *found.cred, parts[1]})
		}
	}
	return all, nil
}

// recover installs what earlier rotations could not store, if the record still
// is the one it belongs to, and returns the record. The caller holds lock and
// write.lock.
func (f folder) recover(now record) (record, error) {
	all, err := f.asides()
	if err != nil {
		return record{}, err
	}
	for _, a := range all {
		if a.succeeds(*now.cred) {
			next := a.cred
			next.Generation = now.generation + 1
			data, err := credential.Encode(next)
			if err != nil {
				return record{}, err
			}
			if err := f.store(now, data); err != nil {
				return record{}, err
			}
			if now, err = f.decode(data); err != nil {
				return record{}, err
			}
			now.raw = data
			if err := f.clearIntent(); err != nil {
				return record{}, err
			}
		}
		// Another grant's answer has still to be revoked by somebody.
		if a.cred.Grant == now.grant {
			if err := remove(a.path); err != nil {
				return record{}, failure("removing an installed answer", f.spill(), err)
			}
		}
	}
	return now, nil
}

// sweep removes the temporary files of killed writers. The caller holds lock
// and write.lock.
func (f folder) sweep() error {
	exists, err := isDir(f.spill())
	if exists {
		err = atomicfile.Sweep(f.spill())
	}
	return errors.Join(err, atomicfile.Sweep(f.path))
}

// clearSpill removes all of spill/. The caller holds lock.
func (f folder) clearSpill() error {
	entries, err := readDir(f.spill())
	errs := []error{err}
	for _, entry := range entries {
		errs = append(errs, remove(filepath.Join(f.spill(), entry.Name())))
	}
	return failure("removing answers kept aside", f.spill(), errors.Join(errs...))
}

// Orphans implements [credential.Store].
func (s *Store) Orphans(ctx context.Context) ([]credential.Orphan, error) { return nil, nil }
