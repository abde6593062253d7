package filestore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/filelock"
)

// maxFile bounds what is read of any file of the store. Records are a few KiB,
// but a record that was written must be readable: the strings of a credential
// may come from several answers of 1 MiB each, and JSON makes up to six bytes
// of one.
const maxFile = 32 << 20

// Store is a [credential.Store] in a folder. Make one with [Open]. Any number
// of Stores, in any number of processes, may be open on one folder.
type Store struct {
	dir   string
	spare spareDir                     // its place in the runtime directory
	creds cache[credential.Credential] // by folder path

	turn    chan struct{} // holds a value while one of this process has, or waits for, the file lock of the logins
	claims  claims
	index   index
	view    feedView
	unswept atomic.Bool // temporary files may lie beside the logins

	mu     sync.Mutex
	owners map[*owner]bool // the living owners made here
}

var _ credential.Store = (*Store)(nil)

// Config says where a store is.
type Config struct {
	// Dir is its folder.
	Dir string
	// RuntimeDir is a folder on another disk, usually $XDG_RUNTIME_DIR, to which
	// an answer goes that cannot be written to Dir at all. It must be absolute,
	// exist, belong to this user and be writable for nobody else; any other, and
	// an empty one, is as none. All processes of a store should name the same:
	// what lies there, the others do not see.
	RuntimeDir string
}

// Open opens the store in c.Dir, which is created with mode 0700 if it does not
// exist. A folder of another user, or that others may write to, is refused.
// A store that may only be read opens well: reading works, and every change
// fails with an [Error] before anything is sent to a provider.
func (c Config) Open() (*Store, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, &Error{Op: "opening the store", Path: c.Dir, Err: err}
	}
	if err := atomicfile.EnsureDir(dir); err != nil {
		return nil, &Error{Op: "opening the store", Path: dir, Err: err}
	}
	s := &Store{dir: dir, spare: spareOf(dir, c.RuntimeDir), turn: make(chan struct{}, 1), owners: make(map[*owner]bool)}
	s.unswept.Store(true)
	return s, nil
}

// Open opens the store in dir, without a runtime directory; see [Config.Open].
func Open(dir string) (*Store, error) { return Config{Dir: dir}.Open() }

// Close ends the owners that were made by this Store. It does not end
// rotations: whoever holds one releases it.
func (s *Store) Close() error {
	s.mu.Lock()
	owners := s.owners
	s.owners = make(map[*owner]bool)
	s.mu.Unlock()
	var errs []error
	for o := range owners {
		errs = append(errs, o.end())
	}
	return errors.Join(errs...)
}

// Get implements [credential.Store].
func (s *Store) Get(ctx context.Context, key credential.Key) (credential.Credential, error) {
	now, err := s.folder(key).read()
	if err != nil {
		return credential.Credential{}, err
	}
	if now.cred == nil {
		return credential.Credential{}, notFound(key)
	}
	return *now.cred, nil
}

// Stamp implements [credential.Store]. The stamp is made of what one lstat of
// cred.json tells.
func (s *Store) Stamp(ctx context.Context, key credential.Key) (string, error) {
	f := s.folder(key)
	info, err := os.Lstat(f.current())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", failure("looking at a credential", f.path, err)
	}
	return stamp(info), nil
}

// List implements [credential.Store]. Credentials whose file did not change
// since the last call cost one lstat each. Those that cannot be read come last.
func (s *Store) List(ctx context.Context) iter.Seq2[credential.Credential, error] {
	return func(yield func(credential.Credential, error) bool) {
		all, errs := s.all()
		for _, cred := range all {
			cred.Scopes = slices.Clone(cred.Scopes) // the cache keeps its own
			if !yield(cred, nil) {
				return
			}
		}
		for _, err := range errs {
			if !yield(credential.Credential{}, err) {
				return
			}
		}
	}
}

func (s *Store) all() (all []credential.Credential, errs []error) {
	root := filepath.Join(s.dir, "credentials")
	entries, err := readDir(root)
	if err != nil {
		return nil, []error{failure("listing credentials", root, err)}
	}
	var seen []string
	for _, entry := range entries {
		f := s.folderNamed(entry.Name())
		if !entry.IsDir() || !isFolderName(entry.Name()) {
			continue
		}
		seen = append(seen, f.path)
		cred, err := s.creds.get(f.path, f.current(), func() (*credential.Credential, error) {
			now, err := f.read()
			return now.cred, err
		})
		switch {
		case err != nil:
			errs = append(errs, &credential.UnreadableError{Err: err})
		case cred != nil:
			all = append(all, *cred)
		}
	}
	s.creds.keep(seen)
	slices.SortFunc(all, func(a, b credential.Credential) int { return a.Key.Compare(b.Key) })
	return all, errs
}

// readDir is os.ReadDir to which a missing folder is an empty one, and which
// refuses anything but a folder.
func readDir(path string) ([]fs.DirEntry, error) {
	if exists, err := isDir(path); !exists {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// isDir reports whether path exists; anything but a folder, a link to one
// included, is an error.
func isDir(path string) (bool, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err == nil && !info.IsDir():
		err = fmt.Errorf("refusing %s: not a folder", path)
	}
	return err == nil, err
}

// lockFolder takes the lock file name in the folder path, which it creates if
// need be, and removes what killed writers left there.
func lockFolder(ctx context.Context, path, name string) (*filelock.Lock, error) {
	if err := atomicfile.EnsureDir(path); err != nil {
		return nil, failure("preparing a change", path, err)
	}
	lock, err := filelock.Acquire(ctx, filepath.Join(path, name))
	if err != nil {
		return nil, failure("locking for a change", path, err)
	}
	if err := atomicfile.Sweep(path); err != nil {
		return nil, errors.Join(failure("cleaning up", path, err), lock.Release())
	}
	return lock, nil
}

func notFound(key credential.Key) error {
	return fmt.Errorf("credential %s: %w", key, credential.ErrNotFound)
}

// newID is unguessable and fit for a file name, also where case is ignored.
func newID() string { return strings.ToLower(rand.Text()) }
