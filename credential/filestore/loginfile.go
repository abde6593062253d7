package filestore

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/safetext"
)

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
	return s.change(l, false, func() error {
		return failure("writing a login", path, atomicfile.Write(path, data, 0o600))
	})
}

// removeLogin removes l's file.
func (s *Store) removeLogin(l credential.Login) error {
	return s.change(l, true, func() error { return remove(s.loginPath(l.ID)) })
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

// loginIDs returns the ids of the stored logins.
func (s *Store) loginIDs() ([]string, error) {
	root := filepath.Join(s.dir, "logins")
	entries, err := readDir(root)
	if err != nil {
		return nil, failure("listing logins", root, err)
	}
	ids := make([]string, 0, len(entries))
	for _, entry := range entries {
		if id, isLogin := strings.CutSuffix(entry.Name(), ".json"); isLogin && isID(id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// allLogins reads the logins, oldest first.
func (s *Store) allLogins() (all []credential.Login, errs []error) {
	ids, err := s.loginIDs()
	if err != nil {
		return nil, []error{err}
	}
	for _, id := range ids {
		l, err := s.readLogin(id)
		switch {
		case errors.Is(err, credential.ErrNotFound): // removed since
		case err != nil:
			errs = append(errs, &credential.UnreadableError{Err: err})
		default:
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b credential.Login) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, errs
}
