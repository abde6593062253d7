package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// ErrTooLarge says that a file is larger than the caller allows.
var ErrTooLarge = errors.New("file too large")

// Read returns the contents of the regular file path, which must not be
// larger than max bytes; a larger one gives [ErrTooLarge]. A missing file
// gives an error that matches [io/fs.ErrNotExist].
//
// Symbolic links, named pipes, devices, directories and files with more than
// one hard link are refused without waiting for anything. On Windows hard
// links are not counted.
func Read(path string, max int64) ([]byte, error) {
	data, err := read(path, max)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return data, nil
}

func read(path string, max int64) ([]byte, error) {
	f, err := openNoFollow(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkRegular(info); err != nil {
		return nil, err
	}
	tooLarge := fmt.Errorf("%w: more than %d bytes", ErrTooLarge, max)
	if info.Size() > max {
		return nil, tooLarge
	}
	// One byte more than allowed catches a file that grows meanwhile as well.
	data, err := io.ReadAll(io.LimitReader(f, min(max, math.MaxInt64-1)+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > max {
		return nil, tooLarge
	}
	return data, nil
}
