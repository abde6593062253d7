package token

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/share"
)

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
	p := plan{goal: goalShare, seen: c.Generation, first: true}
	for range rounds {
		f, planned, err := m.start(ctx, e, p)
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
	file, err := m.cfg.Share(c.Share.Tool)
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
	if share.IsMissing(err) {
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
	return digest != "" && (digest == share.Digest(c.RefreshToken) || share.Remembers(c.Share.Seen, digest))
}
