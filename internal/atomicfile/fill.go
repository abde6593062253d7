package atomicfile

import (
	"io"
	"os"
)

// fill writes n zero bytes to f: the way to reserve room where the file system
// offers no other. Synced, as some look for the room only then.
func fill(f *os.File, n int64) error {
	if _, err := io.Copy(io.NewOffsetWriter(f, 0), io.LimitReader(zeros{}, n)); err != nil {
		return err
	}
	return f.Sync()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
