package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/filelock"
)

const loginAttendHelp = `Wait for a login in the background. usher login --no-wait starts this; it is not
for people.

usage: usher login-attend ID
`

// attending is what an attendant says when it watches its login.
const attending = "attending"

// loginAttendCommand is the attendant: the small process that --no-wait leaves.
// It stands beside login rather than below it, so that no completion and no list
// of login's commands shows it.
func (a *app) loginAttendCommand() *cobra.Command {
	var sockets int
	cmd := a.command(&cobra.Command{
		Use: "login-attend ID", Short: "wait for a login in the background", Long: loginAttendHelp,
		Args: arguments("ID"), Hidden: true,
	}, func(ctx context.Context, args []string) error {
		return a.runAttend(ctx, args[0], sockets)
	})
	cmd.Flags().IntVar(&sockets, "sockets", 0, "the sockets that were handed on")
	return cmd
}

// runAttend waits until the login has ended, and ends it in time. It says so as
// soon as it watches the login, and nothing after that.
func (a *app) runAttend(ctx context.Context, id string, sockets int) error {
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.close(settleBound)
	l, err := s.GetLogin(ctx, id)
	if err != nil {
		return err
	}
	back, err := a.inheritListener(s, l, sockets)
	if err != nil {
		return err
	}
	defer back.close()
	alone, leave, err := attendAlone(ctx, s.dirs.Home, l.ID)
	if err != nil {
		return err
	}
	defer leave()
	if err := a.printf("%s\n", attending); err != nil {
		return err
	}
	if l.Ended() || !alone && sockets == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, waitBound(l, loginOptions{}))
	defer cancel()
	answered := back.serve(ctx, s, l)
	defer answered()
	_, err = s.WaitLogin(ctx, l.ID)
	return err
}

// attendAlone makes this process the one attendant of a login, so that asking for
// the same login again and again leaves one and not many. Files of attendants
// that were killed go with it.
func attendAlone(ctx context.Context, home, id string) (alone bool, leave func(), err error) {
	dir := filepath.Join(home, "attendants")
	if err := atomicfile.EnsureDir(dir); err != nil {
		return false, nil, storeError(err)
	}
	// One at a time, or the look at a file would pass for its holder.
	looking, err := filelock.Acquire(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return false, nil, storeError(err)
	}
	defer func() { _ = looking.Release() }()
	others, err := os.ReadDir(dir)
	if err != nil {
		return false, nil, storeError(err)
	}
	for _, other := range others {
		if other.Name() == "lock" {
			continue
		}
		if _, remove, err := takeLock(filepath.Join(dir, other.Name())); err == nil {
			remove()
		}
	}
	if alone, leave, err = takeLock(filepath.Join(dir, id)); err != nil {
		return false, nil, storeError(err)
	}
	return alone, leave, nil
}

// takeLock takes the lock on path if it is free; leave gives it back and removes
// the file.
func takeLock(path string) (ok bool, leave func(), err error) {
	lock, ok, err := filelock.TryAcquire(path)
	if !ok || err != nil {
		return false, func() {}, err
	}
	return true, func() {
		_ = os.Remove(path) // an empty file that stays is harmless
		_ = lock.Release()
	}, nil
}
