package conffile

import "io/fs"

const nonblock = 0

// checkWriters judges nothing: the mode bits that Windows reports say nothing
// about who may write.
func checkWriters(fs.FileInfo) error { return nil }
