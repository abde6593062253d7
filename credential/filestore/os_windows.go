package filestore

import "io/fs"

// noFollow is nothing there.
const noFollow = 0

// fileID is always zero: Windows does not tell it with a file's other facts,
// and modification times suffice there.
func fileID(fs.FileInfo) uint64 { return 0 }
