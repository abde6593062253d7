package toolconf

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/conffile"
)

// maxFile bounds the files that are edited, in bytes.
const maxFile = 8 << 20

// textFile is a file as it is now.
type textFile struct {
	path   string // as it was named
	real   string // behind links
	text   string
	info   fs.FileInfo // nil: there is none
	exists bool
}

// readFile reads the file at path; a missing one has no text.
func readFile(path string) (textFile, error) {
	f := textFile{path: path, real: path}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(path); err == nil {
			return f, &Error{Path: path, Problem: "it is a link that leads nowhere"}
		}
		return f, nil
	}
	if err != nil {
		return f, err
	}
	data, info, err := conffile.Read(real, maxFile)
	if err != nil {
		return f, err
	}
	f.real, f.text, f.info, f.exists = real, string(data), info, true
	return f, nil
}

// write replaces the text of f, unless somebody has changed it since it was
// read. A new file gets the permissions perm.
func (f textFile) write(text string, perm fs.FileMode) error {
	if now, err := readFile(f.path); err != nil || now.text != f.text || now.exists != f.exists {
		return errors.Join(err, fmt.Errorf("%s changes at this very moment; try again", f.path))
	}
	if f.exists {
		perm = f.info.Mode().Perm()
	}
	if err := atomicfile.Write(f.real, []byte(text), perm); err != nil {
		return err
	}
	if !f.exists || runtime.GOOS == "windows" {
		return nil
	}
	return keepOwner(f.real, f.info)
}

// remove removes the file, and those of folders that are empty then.
func (f textFile) remove(folders []string) error {
	if err := os.Remove(f.real); err != nil {
		return err
	}
	removeFolders(folders)
	return nil
}

// removeFolders removes what is empty of folders, which are named from the
// outermost one on.
func removeFolders(folders []string) {
	for i := len(folders) - 1; i >= 0; i-- {
		if os.Remove(folders[i]) != nil {
			return // something else is in it by now
		}
	}
}

// missingFolders are the folders that are missing above path, from the
// outermost one on.
func missingFolders(path string) (folders []string) {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir {
			return folders
		}
		folders = append([]string{dir}, folders...)
	}
}

func makeFolders(folders []string) error {
	for _, dir := range folders {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
