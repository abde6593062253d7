package filestore

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
)

// Names in spill/: an answer is <generation>-<digest of the spent refresh
// token>-<random>.json, an answer that could not be understood raw-<random>.

const rawPrefix = "raw-"

// maxRaw is how many answers that could not be understood are kept: behind a
// captive portal every attempt to refresh brings one.
const maxRaw = 8

// spills are the folders that may hold what was kept aside. Where the second
// is, see [Config].
func (f folder) spills() []string {
	if f.spare.exists() {
		return []string{f.spill(), f.spare.path()}
	}
	return []string{f.spill()}
}

// keepAside durably keeps next: the answer to the refresh token of from. It
// returns the file's path.
func (f folder) keepAside(next, from credential.Credential) (string, error) {
	data, err := credential.Encode(next)
	if err != nil {
		return "", err
	}
	return f.writeSpill(fmt.Sprintf("%d-%s-%s.json", next.Generation, digest(from), newID()), data)
}

// writeSpill writes into spill/, or else into the runtime directory.
func (f folder) writeSpill(name string, data []byte) (string, error) {
	path := filepath.Join(f.spill(), name)
	err := atomicfile.EnsureDir(f.spill())
	if err == nil {
		err = atomicfile.Write(path, data, 0o600)
	}
	if err != nil && f.spare.base != "" {
		path = filepath.Join(f.spare.path(), name)
		spareErr := f.spare.ensure()
		if spareErr == nil {
			spareErr = atomicfile.Write(path, data, 0o600)
		}
		if spareErr == nil {
			return path, nil
		}
		err = errors.Join(err, spareErr)
	}
	return path, failure("keeping an answer aside", f.spill(), err)
}

// pruneRaw removes the oldest raw answers above maxRaw, as far as it can; what
// it leaves, the next call finds. The caller holds lock.
func (f folder) pruneRaw() {
	for _, dir := range f.spills() {
		entries, err := readDir(dir)
		if err != nil {
			continue
		}
		var raw []fs.FileInfo
		for _, entry := range entries {
			if info, err := entry.Info(); err == nil && strings.HasPrefix(entry.Name(), rawPrefix) {
				raw = append(raw, info)
			}
		}
		slices.SortFunc(raw, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
		for _, info := range raw[min(maxRaw, len(raw)):] {
			_ = os.Remove(filepath.Join(dir, info.Name()))
		}
	}
}

// aside is an answer that was kept aside.
type aside struct {
	path  string
	at    time.Time
	cred  credential.Credential
	spent string // digest of the refresh token it is the answer to
}

// belongs reports whether a is of the login of the record c, which has its grant
// or, imported once more, the refresh token that a is the answer to.
func (a aside) belongs(c credential.Credential) bool {
	return a.cred.Grant == c.Grant || a.answers(c)
}

// answers reports whether a is the answer to c's refresh token.
func (a aside) answers(c credential.Credential) bool {
	return !c.RefreshToken.IsZero() && a.spent == digest(c)
}

// succeeds reports whether a is what the record c would have become.
func (a aside) succeeds(c credential.Credential) bool {
	if a.cred.Grant == c.Grant && a.cred.Generation > c.Generation {
		return true
	}
	return a.answers(c) && !a.cred.RefreshToken.Equal(c.RefreshToken)
}

// asides returns what was kept aside and can be understood, the newest first;
// the rest stays for people.
func (f folder) asides() (all []aside, err error) {
	for _, dir := range f.spills() {
		entries, err := readDir(dir)
		if err != nil {
			return nil, failure("looking for answers kept aside", dir, err)
		}
		for _, entry := range entries {
			a, ok, err := f.readAside(filepath.Join(dir, entry.Name()))
			if err != nil {
				// What cannot be read may be the only token that is not spent.
				return nil, failure("reading an answer kept aside", dir, err)
			}
			if ok {
				all = append(all, a)
			}
		}
	}
	slices.SortFunc(all, func(a, b aside) int {
		return cmp.Or(cmp.Compare(b.cred.Generation, a.cred.Generation), b.at.Compare(a.at))
	})
	return all, nil
}

func (f folder) readAside(path string) (a aside, ok bool, err error) {
	parts := strings.Split(filepath.Base(path), "-")
	if len(parts) != 3 {
		return a, false, nil
	}
	raw, err := atomicfile.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, atomicfile.ErrTooLarge) {
		return a, false, nil
	}
	if err != nil {
		return a, false, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return a, false, nil // removed since
	}
	found, err := f.decode(raw)
	if err != nil || found.cred == nil {
		return a, false, nil
	}
	return aside{path, info.ModTime(), *found.cred, parts[1]}, true, nil
}
