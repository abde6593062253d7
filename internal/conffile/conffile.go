// Package conffile reads the files that people write for the program: TOML
// configuration, and the files it names, such as a client secret.
//
// Use [Read] and then [Decode]. Unlike the program's own files, which
// internal/atomicfile guards, these may be symbolic links, because
// configuration managers and container platforms put links there. They must
// still be regular, small, and not writable by everybody.
package conffile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// MaxSize is the largest size in bytes of a configuration file.
const MaxSize = 64 << 10

// ErrTooLarge is wrapped by the error for a file above the caller's limit.
var ErrTooLarge = errors.New("file is too large")

// Read returns the contents of path and what [os.File.Stat] says of the very
// file that was read. Links are followed. A file that is not regular, is longer
// than limit bytes, or may be written by everybody (not judged on Windows) is
// an error; a named pipe does not make Read wait. A missing file gives an error
// that matches [io/fs.ErrNotExist]. Errors name the path, never the contents.
func Read(path string, limit int64) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, err // names operation and path already
	}
	defer f.Close()
	data, info, err := readAll(f, limit)
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return data, info, nil
}

func readAll(f *os.File, limit int64) ([]byte, fs.FileInfo, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, errors.New("not a regular file")
	}
	if err := checkWriters(info); err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, nil, err
	}
	if int64(len(data)) > limit {
		return nil, nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return data, info, nil
}
