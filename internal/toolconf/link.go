package toolconf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Link makes a symbolic link at path that leads to target. What is there
// already is left alone if it is such a link, and else an [Error].
func Link(home, tool, path, target string, dry bool) (Change, error) {
	c := Change{Path: path, Target: target}
	switch at, err := os.Readlink(path); {
	case err == nil && at == target:
		return c, nil
	case !errors.Is(err, fs.ErrNotExist):
		return c, &Error{Path: path, Problem: fmt.Sprintf("there is something else already; it should be a link to %s", target)}
	}
	if c.Created = true; dry {
		return c, nil
	}
	j, closeIt, err := openJournal(home)
	if err != nil {
		return c, err
	}
	defer closeIt()
	folders := missingFolders(path)
	if err := j.write(Record{Tool: tool, Path: path, Target: target, Folders: folders}); err != nil {
		return c, err
	}
	if err := makeFolders(folders); err != nil {
		return c, err
	}
	return c, os.Symlink(target, path)
}

// unlink removes the link of r, unless something else is in its place.
func unlink(home string, r Record, dry bool) (Change, error) {
	c := Change{Path: r.Path, Target: r.Target}
	at, err := os.Readlink(r.Path)
	if c.Removed = err == nil && at == r.Target; dry {
		return c, nil
	}
	j, closeIt, err := openJournal(home)
	if err != nil {
		return c, err
	}
	defer closeIt()
	if c.Removed {
		if err := os.Remove(r.Path); err != nil {
			return c, err
		}
	}
	removeFolders(r.Folders)
	return c, j.drop(r)
}
