package share

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
)

const (
	// heartbeat is how often a lock of ours is touched. The oldest releases of
	// the tool take a lock over that was not touched for 10 s.
	heartbeat = 3 * time.Second
	// watchEvery is how often it is looked whether a lock of ours is still
	// there: every process of the tool that ends removes it, whoever holds it.
	watchEvery = 10 * time.Millisecond

	firstPoll = 50 * time.Millisecond
	lastPoll  = 250 * time.Millisecond
)

// Lock is the tool's own lock, held. It is kept fresh until Release, so that
// the tool does not think it stale, and made anew if the tool removes it. It is
// for one goroutine.
type Lock struct {
	file *File
	path string

	seen string   // digest of the refresh token that the file held at Read
	held *os.File // the lock as it was made last; the guard's until it ends
	stop chan struct{}
	done chan struct{} // closed when the guard has ended
}

// Lock takes the tool's lock, waiting as long as ctx allows; [ErrBusy] then.
// The caller holds our own rotation lock.
//
// The tool's lock is a file that is there while it is held. One that was not
// touched for 35 s is taken over, as newer releases of the tool do: its refresh
// may last 30 s, and whoever goes ahead earlier spends the same token again.
// One left by a process of ours that has died is taken over at once.
func (f *File) Lock(ctx context.Context) (*Lock, error) {
	folder, err := f.prepareFolder()
	if err != nil {
		return nil, err
	}
	l := &Lock{file: f, path: filepath.Join(folder, lockName), stop: make(chan struct{}), done: make(chan struct{})}
	if err := l.acquire(ctx); err != nil {
		return nil, fmt.Errorf("taking the lock of the tool: %w", err)
	}
	go l.guard()
	return l, nil
}

func (l *Lock) acquire(ctx context.Context) error {
	var w watch
	for poll := firstPoll; ; poll = min(poll*3/2, lastPoll) {
		held, err := plant(l.path)
		if err == nil {
			l.held = held
			return nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		stale, err := w.look(l.path)
		if err == nil && stale {
			err = takeOver(l.path, w.last)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // gone meanwhile
		case err != nil:
			return err
		case stale:
			continue
		}
		if err := wait(ctx, poll); err != nil {
			return fmt.Errorf("%s: %w: %w", l.path, ErrBusy, err)
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// guard keeps the lock until stop. What it cannot do is not an error: the tool
// may then refresh beside us, and Write finds out.
func (l *Lock) guard() {
	defer close(l.done)
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	touched := time.Now()
	for {
		select {
		case <-l.stop:
			return
		case <-watch.C:
		}
		ours, err := isOurs(l.held, l.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if held, err := plant(l.path); err == nil {
				_ = l.held.Close()
				l.held, touched = held, time.Now()
			}
		case ours && time.Since(touched) >= heartbeat:
			touched = time.Now()
			_ = os.Chtimes(l.path, time.Time{}, touched)
		}
	}
}

// isOurs reports whether the lock at path is the one we hold. While the file is
// open, no other can look the same.
func isOurs(held *os.File, path string) (bool, error) {
	named, err := os.Lstat(path)
	if err != nil {
		return false, err
	}
	opened, err := held.Stat()
	return err == nil && os.SameFile(named, opened), err
}

// Read is [File.Read] under the lock; Write compares with what it saw.
func (l *Lock) Read() (Contents, error) {
	c, err := l.file.Read()
	if err == nil || IsMissing(err) {
		l.seen = Digest(c.RefreshToken)
	}
	return c, err
}

// Write makes the file hold c's tokens, durably, with what else stands in it.
// [ErrChanged] if its refresh token is not the one that Read saw any more; one
// that has gone meanwhile is written anew, since the tool deletes the file when
// a server refuses an old token.
//
// It also works when the lock has been lost: keeping a new token from the tool
// would not bring the lock back. The end of a token whose end is not known is
// given as ten years after its receipt, because the tool wants one.
func (l *Lock) Write(c credential.Credential) error {
	was, err := l.unchanged(Digest(c.RefreshToken))
	if err != nil {
		return err
	}
	data, err := encodeQwen(c, was)
	if err != nil {
		return fmt.Errorf("writing the shared file: %w", err)
	}
	path, err := l.file.prepare()
	if err != nil {
		return err
	}
	if err := replace(path, data); err != nil {
		return fmt.Errorf("writing the shared file: %w", err)
	}
	l.seen = Digest(c.RefreshToken)
	return nil
}

// Remove deletes the file, durably; ErrChanged as in Write. A missing one is as
// good.
func (l *Lock) Remove() error {
	if _, err := l.unchanged(""); err != nil {
		return err
	}
	path, err := l.file.locate()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range []string{path, l.file.path} { // a link to it goes too
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the shared file: %w", err)
		}
	}
	if err := atomicfile.SyncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("removing the shared file: %w", err)
	}
	return nil
}

// unchanged returns the members of the file, or ErrChanged if it holds a
// refresh token that is neither the one that Read saw nor the one of digest.
func (l *Lock) unchanged(digest string) (members, error) {
	c, all, err := l.file.read()
	if err != nil && !IsMissing(err) {
		return nil, err
	}
	if now := Digest(c.RefreshToken); now != "" && now != l.seen && now != digest {
		return nil, fmt.Errorf("the shared file %s: %w", l.file.path, ErrChanged)
	}
	return all, nil
}

// Release gives the lock back, unless it has become somebody else's. It is to be
// called once.
func (l *Lock) Release() error {
	close(l.stop)
	<-l.done
	ours, err := isOurs(l.held, l.path)
	if ours {
		err = uproot(l.held, l.path)
	} else {
		_ = l.held.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("giving the lock of the tool back: %w", err)
	}
	return nil
}

// replace writes the file and gives it a later modification time than it had,
// by which the tool notices: file systems tick only every few milliseconds, and
// clocks are set back.
func replace(path string, data []byte) error {
	before, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := atomicfile.Write(path, data, 0o600); err != nil || before == nil {
		return err
	}
	after, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if least := before.ModTime().Add(time.Millisecond); after.ModTime().Before(least) {
		return os.Chtimes(path, time.Time{}, least)
	}
	return nil
}
