package atomicfile

import (
	"io"
	"os"
)

// fill writes n zero bytes to f: the way to reserve room where the file system
// offers no other.
func fill(f *os.File, n int64) error {
	_, err := io.Copy(io.NewOffsetWriter(f, 0), io.LimitReader(zeros{}, n))
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
