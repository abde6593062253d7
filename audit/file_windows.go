package audit

import "io/fs"

const openFlags = 0

// checkOwner judges nothing: the mode bits that Windows reports say nothing
// about who may write.
func checkOwner(fs.FileInfo) error { return nil }
