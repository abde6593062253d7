package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/failpoint"
	"github.com/usherauth/usher/internal/filelock"
	"github.com/usherauth/usher/secret"
)

// writeLockPatience bounds how long a Commit, which must not be cancelled,
// waits for write.lock. Its holders need milliseconds; only a stopped process
// or a dead disk takes longer, and then the answer is better off in spill/.
const writeLockPatience = 10 * time.Second

// minReserve is the least space set aside for an answer: many times the
// typical one, two pages of most disks.
const minReserve = 8 << 10

// rotation is a held rotation lock; see [credential.Rotation].
type rotation struct {
	f           folder
	lock        *filelock.Lock
	first       credential.Credential // what Record returns
	base        credential.Credential // what the next Commit must find
	attempt     []byte                // what the last failed Commit tried to write
	staged      *atomicfile.Staged    // space set aside by Reserve; nil when used up
	reserved    bool                  // the intent on disk is ours
	interrupted bool
	aside       []string // files this rotation put into spill/
}

// BeginRotation implements [credential.Store].
func (s *Store) BeginRotation(ctx context.Context, key credential.Key, seen uint64) (credential.Rotation, error) {
	f := s.folder(key)
	// Before the lock: a key that was never stored gets no folder.
	if now, err := f.read(); err != nil {
		return nil, err
	} else if now.cred == nil {
		return nil, notFound(key)
	}
	lock, err := lockRotation(ctx, f.file("lock"))
	if err != nil {
		return nil, failure("waiting for a rotation", f.path, err)
	}
	r, err := f.beginRotation(ctx)
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	r.lock = lock
	return r, nil
}

// beginRotation reads the record and repairs what a killed process left.
func (f folder) beginRotation(ctx context.Context) (*rotation, error) {
	writing, err := f.lockWrite(ctx)
	if err != nil {
		return nil, err
	}
	defer writing.Release()
	// All writers of these folders hold one of the two locks held here.
	if err := f.sweep(); err != nil {
		return nil, failure("cleaning up", f.path, err)
	}
	now, err := f.read()
	if err != nil {
		return nil, err
	}
	if now.cred == nil {
		return nil, notFound(f.key)
	}
	if now, err = f.recover(now); err != nil {
		return nil, err
	}
	interrupted, err := f.interrupted(*now.cred)
	if err != nil {
		return nil, err
	}
	return &rotation{f: f, first: *now.cred, base: *now.cred, interrupted: interrupted}, nil
}

func (r *rotation) Record() credential.Credential {
	c := r.first
	c.Scopes = slices.Clone(c.Scopes)
	return c
}

func (r *rotation) Interrupted() bool { return r.interrupted }

// Reserve does beforehand whatever of a Commit can fail: for want of space or
// permission, or because the record has been overtaken already.
func (r *rotation) Reserve(ctx context.Context) error {
	if err := r.savePrevious(ctx); err != nil {
		return err
	}
	failpoint.Hit("store.previous")
	if err := atomicfile.EnsureDir(r.f.spill()); err != nil {
		return failure("preparing a refresh", r.f.path, err)
	}
	if r.staged == nil {
		data, err := credential.Encode(r.base)
		if err != nil {
			return err
		}
		staged, err := atomicfile.Stage(r.f.current(), 0o600, max(minReserve, 2*int64(len(data))))
		if err != nil {
			return failure("reserving space for a refresh", r.f.path, err)
		}
		r.staged = staged
	}
	failpoint.Hit("store.reserved")
	if err := r.f.writeIntent(r.base); err != nil {
		return err
	}
	failpoint.Hit("store.intent")
	r.reserved = true
	return nil
}

// savePrevious makes the current record the previous one ahead of time. A
// damaged one is left to Commit.
func (r *rotation) savePrevious(ctx context.Context) error {
	writing, err := r.f.lockWrite(ctx)
	if err != nil {
		return err
	}
	defer writing.Release()
	now, err := r.f.load()
	switch {
	case err != nil:
		return err
	case now.cred == nil || now.generation != r.base.Generation || now.grant != r.base.Grant:
		return fmt.Errorf("preparing a refresh of %s: %w", r.f.key, credential.ErrConflict)
	case now.corrupt:
		return nil
	}
	return r.f.savePrevious(now)
}

// MaySend is always nil: a kernel lock cannot be lost.
func (r *rotation) MaySend(ctx context.Context) error { return nil }

func (r *rotation) Commit(ctx context.Context, next credential.Credential) (credential.Credential, error) {
	if next.Key != r.f.key {
		return credential.Credential{}, fmt.Errorf("committing %s in a rotation of %s", next.Key, r.f.key)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLockPatience)
	defer cancel()
	next.Grant = r.base.Grant
	next.Generation = r.base.Generation + 1
	err := r.commit(ctx, &next)
	if err == nil {
		failpoint.Hit("store.committed")
		r.base, r.attempt = next, nil
		r.interrupted, r.reserved = false, false
		// The answer is in place; what is left is tidying up, which whoever
		// begins the next rotation does as well.
		_ = r.f.clearIntent()
		failpoint.Hit("store.intent-cleared")
		_ = r.Discard(ctx)
		return next, nil
	}
	path, spillErr := r.f.keepAside(next, r.base)
	if spillErr != nil {
		return credential.Credential{}, fmt.Errorf("committing %s: %w; it could not be kept aside: %w", next.Key, err, spillErr)
	}
	failpoint.Hit("store.spilled")
	_ = r.Discard(ctx) // earlier attempts, of which next is the sequel
	r.aside = []string{path}
	return credential.Credential{}, fmt.Errorf("committing %s: %w", next.Key, err)
}

// commit is one compare-and-swap of base by next, whose Generation it corrects
// if an earlier attempt turns out to have been written.
func (r *rotation) commit(ctx context.Context, next *credential.Credential) error {
	writing, err := r.f.lockWrite(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		// Not the caller's context: this is a failure of the store.
		err = fmt.Errorf("write.lock was held for %v by a process that may be stopped", writeLockPatience)
	}
	if err != nil {
		return failure("locking for a change", r.f.path, err)
	}
	defer writing.Release()
	now, err := r.f.load()
	if err != nil {
		return err
	}
	switch {
	case now.generation == 0:
		// Somebody removed the whole folder, which is not how one logs out.
	case now.cred != nil && now.grant == r.base.Grant && now.generation == r.base.Generation:
	case r.attempt != nil && bytes.Equal(now.raw, r.attempt):
		// Our own write, of which only the durability was in doubt.
		next.Generation = now.generation + 1
	default:
		return credential.ErrSuperseded
	}
	data, err := credential.Encode(*next)
	if err != nil {
		return err
	}
	if err := r.f.savePrevious(now); err != nil {
		return err
	}
	r.attempt = data
	err = replace(r.f.current(), func() error { return r.write(data) })
	return failure("writing a credential", r.f.path, err)
}

// write uses the space that Reserve set aside, once. A file that could not be
// synced is lost for good: another one may do better.
func (r *rotation) write(data []byte) error {
	if staged := r.staged; staged != nil {
		r.staged = nil
		if staged.Commit(data) == nil {
			return nil
		}
	}
	return atomicfile.Write(r.f.current(), data, 0o600)
}

func (r *rotation) Salvage(ctx context.Context, raw secret.String) error {
	if _, err := r.f.writeSpill(rawPrefix+newID(), []byte(raw.Reveal())); err != nil {
		return err
	}
	r.f.pruneRaw()
	return nil
}

func (r *rotation) Discard(ctx context.Context) error {
	var errs []error
	for _, path := range r.aside {
		errs = append(errs, remove(path))
	}
	r.aside = nil
	return failure("removing a superseded answer", r.f.spill(), errors.Join(errs...))
}

func (r *rotation) Release(unspent bool) error {
	if r.lock == nil {
		return nil
	}
	var errs []error
	if r.staged != nil {
		errs = append(errs, failure("releasing a rotation", r.f.path, r.staged.Abort()))
		r.staged = nil
	}
	// A predecessor's intent stays: that this rotation did not spend the token
	// says nothing about the one before.
	if unspent && r.reserved && !r.interrupted {
		errs = append(errs, r.f.clearIntent())
	}
	errs = append(errs, failure("releasing a rotation", r.f.path, r.lock.Release()))
	r.lock = nil
	return errors.Join(errs...)
}
