package filestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/filelock"
	"github.com/usherauth/usher/internal/safetext"
)

func (s *Store) lockLogins(ctx context.Context) (*filelock.Lock, error) {
	return lockFolder(ctx, filepath.Join(s.dir, "logins"), "lock")
}

// isID keeps an id, which may come from anywhere, inside its folder.
func isID(id string) bool { return safetext.Word(id, "_-", 1, 128) }

func (s *Store) loginPath(id string) string { return filepath.Join(s.dir, "logins", id+".json") }

func (s *Store) readLogin(id string) (credential.Login, error) {
	missing := fmt.Errorf("login %s: %w", id, credential.ErrNotFound)
	if !isID(id) {
		return credential.Login{}, missing
	}
	path := s.loginPath(id)
	raw, err := atomicfile.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return credential.Login{}, missing
	}
	var l credential.Login
	if err == nil {
		l, err = credential.DecodeLogin(raw)
	}
	if err == nil && l.ID != id {
		err = errors.New("the file belongs to another login")
	}
	if err != nil {
		return credential.Login{}, failure("reading a login", path, err)
	}
	return l, nil
}

func (s *Store) writeLogin(l credential.Login) error {
	data, err := credential.EncodeLogin(l)
	if err != nil {
		return err
	}
	path := s.loginPath(l.ID)
	return failure("writing a login", path, write(path, data))
}

// writeFirst is writeLogin for a new login, with room for its end.
func (s *Store) writeFirst(l credential.Login) error {
	data, err := credential.EncodeLogin(l)
	if err != nil {
		return err
	}
	path := s.loginPath(l.ID)
	staged, err := atomicfile.Stage(path, 0o600, int64(len(data))+loginReserve)
	if err != nil {
		return failure("reserving space for a login", path, err)
	}
	return failure("writing a login", path, staged.Commit(data))
}

// allLogins returns the logins, oldest first. They share memory with the cache.
func (s *Store) allLogins() (all []credential.Login, errs []error) {
	root := filepath.Join(s.dir, "logins")
	entries, err := readDir(root)
	if err != nil {
		return nil, []error{failure("listing logins", root, err)}
	}
	var seen []string
	for _, entry := range entries {
		id, isLogin := strings.CutSuffix(entry.Name(), ".json")
		if !isLogin || !isID(id) {
			continue
		}
		path := s.loginPath(id)
		seen = append(seen, path)
		l, err := s.logins.get(path, path, func() (*credential.Login, error) {
			l, err := s.readLogin(id)
			if errors.Is(err, credential.ErrNotFound) {
				return nil, nil
			}
			return &l, err
		})
		switch {
		case err != nil:
			errs = append(errs, err)
		case l != nil:
			all = append(all, *l)
		}
	}
	s.logins.keep(seen)
	slices.SortFunc(all, func(a, b credential.Login) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, errs
}

// cloneLogin returns l sharing no memory with it that can be written to.
func cloneLogin(l credential.Login) credential.Login {
	l.Scopes = slices.Clone(l.Scopes)
	if l.Device != nil {
		device := *l.Device
		l.Device = &device
	}
	if l.Won != nil {
		won := *l.Won
		won.Scopes = slices.Clone(won.Scopes)
		l.Won = &won
	}
	if l.Failure != nil {
		failure := *l.Failure
		l.Failure = &failure
	}
	return l
}
