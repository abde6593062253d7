package filestore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/usherauth/usher/internal/atomicfile"
)

// Option is a choice for [Open].
type Option func(*Store)

// WithRuntimeDir names a folder on another disk, usually $XDG_RUNTIME_DIR, to
// which an answer goes that cannot be written to the store at all. It must be
// absolute, exist, belong to this user and be writable for nobody else; any
// other, and an empty one, is as none. All processes of a store should name the
// same: what lies there, the others do not see.
func WithRuntimeDir(dir string) Option {
	return func(s *Store) {
		if filepath.IsAbs(dir) {
			s.spare = spareDir{base: dir, names: []string{"usher", storeName(s.dir)}}
		}
	}
}

// storeName tells stores apart, and is the same for all paths to one.
func storeName(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:16])
}

// spareDir is a folder in the runtime directory. The zero one is none.
type spareDir struct {
	base  string   // the runtime directory, which is not ours to make
	names []string // of the folders that lead from there, all of them ours
}

func (d spareDir) path() string {
	return filepath.Join(append([]string{d.base}, d.names...)...)
}

// sub is the folder name in d.
func (d spareDir) sub(name string) spareDir {
	if d.base == "" {
		return d
	}
	return spareDir{d.base, append(slices.Clip(d.names), name)}
}

// exists reports whether d is there and nobody else can have put anything
// into it.
func (d spareDir) exists() bool {
	return d.base != "" && d.each(atomicfile.CheckDir) == nil
}

// ensure makes d.
func (d spareDir) ensure() error {
	return d.each(atomicfile.EnsureDir)
}

// each calls do for the folders that lead to d, in order, if the runtime
// directory is as it must be.
func (d spareDir) each(do func(path string) error) error {
	err := atomicfile.CheckDir(d.base)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("there is no runtime directory " + d.base)
	}
	path := d.base
	for _, name := range d.names {
		path = filepath.Join(path, name)
		if err == nil {
			err = do(path)
		}
	}
	return err
}
