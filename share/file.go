package share

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/usherauth/usher/internal/atomicfile"
)

// maxFile is far above what a tool writes.
const maxFile = 1 << 20

// File is the credential file of a tool. It keeps no state and is safe for
// concurrent use.
//
// Its folder must belong to us and be writable by nobody else, or every method
// that looks into it fails. A symbolic link, as managers of dotfiles make them,
// is followed into a folder of that kind.
type File struct {
	path string
}

// Open names the file of a tool, which need not exist. getenv is os.Getenv but
// in tests.
func Open(tool string, getenv func(string) string) (*File, error) {
	if err := Check(tool); err != nil {
		return nil, err
	}
	folder, err := qwenFolder(getenv)
	if err != nil {
		return nil, err
	}
	return &File{path: filepath.Join(folder, fileName)}, nil
}

// Path is where the file is.
func (f *File) Path() string { return f.path }

// Stamp changes whenever the file does; "" while it is missing. It costs one
// stat.
func (f *File) Stamp() (string, error) {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("looking at the shared file: %w", err)
	}
	return fmt.Sprintf("%x-%x-%x", fileID(info), info.Size(), info.ModTime().UnixNano()), nil
}

// Read reads the file without a lock. A missing one is fs.ErrNotExist, one that
// the tool would not accept [ErrInvalid].
func (f *File) Read() (Contents, error) {
	c, _, err := f.read()
	return c, err
}

// read is Read with all members of the file, so far as it is a JSON object.
func (f *File) read() (Contents, members, error) {
	path, err := f.locate()
	if err != nil {
		return Contents{}, nil, err
	}
	return readQwen(path)
}

// ReadFile reads a file in the form of tool's that may lie anywhere, for an
// import. Its errors are those of [File.Read]; who may write to its folder is
// not judged.
func ReadFile(tool, path string) (Contents, error) {
	if err := Check(tool); err != nil {
		return Contents{}, err
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Contents{}, fmt.Errorf("reading a credential file: %w", err)
	}
	c, _, err := readQwen(path)
	return c, err
}

// locate is the path of the file itself, behind links, in a folder that was
// found safe. A missing folder, file or link's target is fs.ErrNotExist.
func (f *File) locate() (string, error) {
	path, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return "", fmt.Errorf("looking for the shared file: %w", err)
	}
	if err := checkFolder(filepath.Dir(f.path)); err != nil {
		return "", err
	}
	if err := checkFolder(filepath.Dir(path)); err != nil {
		return "", err
	}
	return path, nil
}

// prepare is locate before a write: the folder is made if it is missing, and so
// may the file be, but not what a link leads to.
func (f *File) prepare() (string, error) {
	folder, err := f.prepareFolder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, fileName)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	path, err = f.locate()
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("refusing %s: a symbolic link that leads nowhere; remove it or what it should lead to must be there", f.path)
	}
	return path, err
}

// prepareFolder makes the folder, unless it is there, and returns it behind
// links.
func (f *File) prepareFolder() (string, error) {
	folder := filepath.Dir(f.path)
	if _, err := os.Lstat(folder); err == nil {
		if folder, err = filepath.EvalSymlinks(folder); err != nil {
			return "", fmt.Errorf("looking for the folder of the shared file: %w", err)
		}
	}
	if err := atomicfile.EnsureDir(folder); err != nil {
		return "", fmt.Errorf("sharing the file: %w", err)
	}
	return folder, nil
}

// checkFolder refuses a folder that others can write to: they could have us
// adopt tokens of theirs.
func checkFolder(folder string) error {
	folder, err := filepath.EvalSymlinks(folder)
	if err == nil {
		err = atomicfile.EnsureDir(folder)
	}
	if err != nil {
		return fmt.Errorf("sharing the file: %w", err)
	}
	return nil
}
