package toolconf

import "io/fs"

// keepOwner has nothing to do: a file belongs to whom its folder says.
func keepOwner(string, fs.FileInfo) error { return nil }
