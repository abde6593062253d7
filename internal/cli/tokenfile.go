package cli

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/internal/filelock"
	"github.com/usherauth/usher/secret"
)

// tokenFiles are the private files from which one command reads tokens: in a
// folder of their own, which is removed when the command has ended.
type tokenFiles struct {
	dir   string // empty: there is none
	files []*tokenFile
	// starter is held while the folder is this process's to mind.
	starter *filelock.Lock
	// settle ends what this process itself does to keep them fresh; nil: nothing.
	settle func()
}

// tokenFile is one of them.
type tokenFile struct {
	Name    string    `json:"name"` // the variable with its path
	Key     string    `json:"key"`
	Expires time.Time `json:"expires"` // when the token in it ends; zero: not known

	token secret.String // as far as this process has written it
}

// The locks in a folder of token files, under names that no variable has. A
// folder whose locks nobody holds is what a killed process left.
const (
	starterLock   = "starter.lock"   // of the process that becomes the command
	attendantLock = "attendant.lock" // of the one that minds the files
)

func (f *tokenFiles) add(name, key string, t api.Token) {
	f.files = append(f.files, &tokenFile{Name: name, Key: key, Expires: t.ExpiresAt, token: secret.New(t.AccessToken)})
}

func (f *tokenFiles) path(of *tokenFile) string { return filepath.Join(f.dir, of.Name) }

// paths are the variables with the paths.
func (f *tokenFiles) paths() map[string]string {
	set := map[string]string{}
	for _, of := range f.files {
		set[of.Name] = f.path(of)
	}
	return set
}

// write makes the file hold its token, and nothing else. A reader sees the one
// before or this one.
func (f *tokenFiles) write(of *tokenFile) error {
	return atomicfile.Write(f.path(of), []byte(of.token.Reveal()), 0o600)
}

// remove removes the files. Doing so twice is harmless.
func (f *tokenFiles) remove() {
	if f.dir == "" {
		return
	}
	if f.settle != nil {
		f.settle()
	}
	_ = os.RemoveAll(f.dir) // else the next run does
	if f.starter != nil {
		_ = f.starter.Release()
	}
}

// placeFiles makes the files, and sees to it that they are removed when this
// process, or the command that it becomes, has ended. With refresh they are kept
// fresh until then.
func (a *app) placeFiles(ctx context.Context, f *tokenFiles, refresh bool) error {
	if len(f.files) == 0 {
		return nil
	}
	dirs, err := a.dirs()
	if err != nil {
		return err
	}
	if err := f.place(ctx, dirs); err != nil {
		return storeError(err)
	}
	return a.mindFiles(ctx, dirs, f, refresh)
}

// place makes the folder and writes the files.
func (f *tokenFiles) place(ctx context.Context, dirs config.Dirs) error {
	root, err := tokenFileRoot(dirs)
	if err != nil {
		return err
	}
	// One at a time, or a folder that is just being made would pass for one that
	// was left behind.
	placing, err := filelock.Acquire(ctx, filepath.Join(root, "lock"))
	if err != nil {
		return err
	}
	defer func() { _ = placing.Release() }()
	sweepTokenFiles(root)
	f.dir = filepath.Join(root, rand.Text())
	if err := atomicfile.EnsureDir(f.dir); err != nil {
		return err
	}
	if f.starter, err = filelock.Acquire(ctx, filepath.Join(f.dir, starterLock)); err != nil {
		return err
	}
	for _, of := range f.files {
		if err := f.write(of); err != nil {
			return err
		}
	}
	return nil
}

// tokenFileRoot is the folder of all folders of token files: in the runtime
// directory, whose files are in memory, or else in the data folder.
func tokenFileRoot(dirs config.Dirs) (string, error) {
	if dirs.RuntimeDir != "" {
		root := filepath.Join(dirs.RuntimeDir, "usher", "exec")
		if _, err := os.Stat(dirs.RuntimeDir); err == nil && atomicfile.EnsureDir(root) == nil {
			return root, nil
		}
	}
	root := filepath.Join(dirs.Home, "exec")
	return root, atomicfile.EnsureDir(root)
}

// sweepTokenFiles removes what killed processes left in root.
func sweepTokenFiles(root string) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return // what follows meets the trouble as well
	}
	for _, entry := range entries {
		dir := filepath.Join(root, entry.Name())
		if entry.IsDir() && !lockHeld(dir, starterLock) && !lockHeld(dir, attendantLock) {
			_ = os.RemoveAll(dir) // else the next run does
		}
	}
}

// lockHeld reports whether somebody holds the lock, or might.
func lockHeld(dir, name string) bool {
	held, err := filelock.Held(filepath.Join(dir, name))
	return held || err != nil
}
