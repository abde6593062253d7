//go:build unix

package filestore

import (
	"io/fs"
	"syscall"
)

// noFollow refuses a symbolic link, and does not wait for a named pipe's reader.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// fileID is the inode number.
func fileID(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Ino)
	}
	return 0
}
