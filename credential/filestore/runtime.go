package filestore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/usherauth/usher/internal/atomicfile"
)

// spareOf is the folder of the store at dir in a runtime directory.
func spareOf(dir, runtimeDir string) spareDir {
	if !filepath.IsAbs(runtimeDir) {
		return spareDir{}
	}
	return spareDir{base: runtimeDir, names: []string{"usher", storeName(dir)}}
}

// storeName tells stores apart, also one after another at the same path or in
// containers that see one runtime directory, and is the same for all paths to one.
func storeName(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	var id uint64
	if info, err := os.Stat(dir); err == nil {
		id = fileID(info)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%x", dir, id))
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
