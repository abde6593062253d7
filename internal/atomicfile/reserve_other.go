//go:build !linux

package atomicfile

import "os"

// reserve takes n bytes of the file system for f, which is empty.
func reserve(f *os.File, n int64) error { return fill(f, n) }
