package token

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/share"
)

const (
	// restoreSpacing is the least time between two repairs of the tool's file:
	// a tool that insists on removing it is not fought every second.
	restoreSpacing = 30 * time.Second
	// maxRestoreSpacing is what that grows to while repairs do not succeed.
	maxRestoreSpacing = 16 * time.Minute
)

// shareFile is the file of the tool that a credential is shared with.
func (m *Manager) shareFile(tool string) (*share.File, error) {
	if m.cfg.Share != nil {
		return m.cfg.Share(tool)
	}
	return share.Open(tool, os.Getenv)
}

// shareWatch remembers what was seen of a tool's file. Its entry's lock guards
// it.
type shareWatch struct {
	// stamp is the file's, when nothing was to be done about it beside a record
	// of generation; 0 if that was never so.
	stamp      string
	generation uint64
	mended     time.Time // the last try to write it
	failures   int       // tries since it was in step
}

// inStep reports whether nothing has changed since the file was in step with
// generation.
func (w *shareWatch) inStep(stamp string, generation uint64) bool {
	return w.generation == generation && w.stamp == stamp
}

// mayMend reports whether the file may be written now, and counts that.
func (w *shareWatch) mayMend() bool {
	spacing := min(restoreSpacing<<max(w.failures-1, 0), maxRestoreSpacing)
	if !w.mended.IsZero() && time.Since(w.mended) < spacing {
		return false
	}
	w.mended = time.Now()
	w.failures = min(w.failures+1, 6)
	return true
}

// watchShare starts a rotation if the file of the tool that shares c, the newest
// record known, is out of step with it. When it was in step, it looks at the
// file's stamp alone.
func (m *Manager) watchShare(e *entry, c credential.Credential) {
	if c.Share.Tool == "" {
		return
	}
	file, err := m.shareFile(c.Share.Tool)
	if err != nil {
		return // as the next refresh will say
	}
	stamp, err := file.Stamp()
	if err != nil {
		return
	}
	e.mu.Lock()
	known := e.watch.inStep(stamp, c.Generation)
	e.mu.Unlock()
	if known {
		return
	}
	found, err := file.Read()
	if err != nil && !shareMissing(err) {
		return
	}
	relation := share.Compare(c, found, err)
	if !needsMending(c, relation, found, m.clock.Now()) {
		e.inStep(stamp, c.Generation)
		return
	}
	if !e.mayMend(relation) {
		return
	}
	// Nobody waits for it, and once closed there is nothing to do.
	_, _, _ = m.start(context.Background(), e, rotation{goal: goalShare, seen: c.Generation})
}

// inStep takes note that nothing is to be done about the tool's file, found with
// stamp, while the record is of generation.
func (e *entry) inStep(stamp string, generation uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.watch = shareWatch{stamp: stamp, generation: generation, mended: e.watch.mended}
}

// mayMend reports whether something is to be done about the tool's file now, and
// counts that.
func (e *entry) mayMend(relation share.Relation) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flight != nil {
		return false // which deals with it as well
	}
	if relation == share.Theirs && e.watch.failures == 0 {
		e.watch.failures++
		return true // at once: it may be the only token that works
	}
	return e.watch.mayMend()
}

// Sync brings the file of the tool that key is shared with in step, after a
// login that this process has stored; nothing for a key that is not shared.
// Should the tool have got other tokens since the login, these are adopted. It
// waits for the tool's lock as long as ctx allows, at most 40 s; what it leaves
// undone is tried again while the key is read or tended.
func (m *Manager) Sync(ctx context.Context, key credential.Key) error {
	c, err := m.cfg.Store.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("reading credential %s: %w", key, err)
	}
	if c.Share.Tool == "" {
		return nil
	}
	e, err := m.entryOf(key)
	if err != nil {
		return err
	}
	plan := rotation{goal: goalShare, seen: c.Generation, first: true}
	for range rounds {
		f, planned, err := m.start(ctx, e, plan)
		if err != nil {
			return err
		}
		r, err := f.wait(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("sharing %s: %w", key, err)
		case planned && r.err != nil:
			return r.err
		case planned:
			return r.unshared
		}
	}
	return fmt.Errorf("%w: %s", ErrBusy, key)
}

// Unshare removes c's tokens from the file of the tool that c was shared with,
// after a logout; what is not c's stays. It waits for the tool's lock as long as
// ctx allows, at most 40 s.
func (m *Manager) Unshare(ctx context.Context, c credential.Credential) error {
	if c.Share.Tool == "" {
		return nil
	}
	if err := m.unshare(ctx, c); err != nil {
		return fmt.Errorf("removing %s from what is shared with %s: %w", c.Key, c.Share.Tool, err)
	}
	return nil
}

func (m *Manager) unshare(ctx context.Context, c credential.Credential) error {
	file, err := m.shareFile(c.Share.Tool)
	if err != nil {
		return err
	}
	if _, err := file.Read(); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sharePatience)
	defer cancel()
	// A rotation that still runs holds this lock until its token is stored or
	// superseded.
	lock, err := file.Lock(ctx)
	if err != nil {
		return err
	}
	found, err := lock.Read()
	if shareMissing(err) {
		err = nil
	}
	if err == nil && isOf(c, found) {
		err = lock.Remove()
	}
	if releaseErr := lock.Release(); err == nil {
		err = releaseErr
	}
	return err
}

// isOf reports whether found holds a refresh token of c: its own, or an earlier
// one that the tool was left with.
func isOf(c credential.Credential, found share.Contents) bool {
	digest := share.Digest(found.RefreshToken)
	return digest != "" && (digest == share.Digest(c.RefreshToken) || digest == c.Share.Seen)
}
