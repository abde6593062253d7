package token

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

// modelStore is the disk as one process uses it. Methods that the model has no
// use for are those of a nil Store: they panic.
type modelStore struct {
	credential.Store
	p *modelProc
}

// Stamp is not an operation of its own: the Get after it is.
func (s *modelStore) Stamp(context.Context, credential.Key) (string, error) {
	return strconv.FormatUint(s.p.w.disk.now.cred.Generation, 10), nil
}

func (s *modelStore) Orphans(context.Context) ([]credential.Orphan, error) { return nil, nil }

func (s *modelStore) Get(ctx context.Context, _ credential.Key) (credential.Credential, error) {
	// What a reader reads by itself, it could have read at any later time as
	// well: that is the scheduler's choice of when it starts.
	if ctx != s.p.ctx {
		s.p.stop(ctx, opGet)
	}
	if held := s.p.held; held != nil && held.refused && s.p.w.without == secondLook {
		return held.first, nil
	}
	now, err := s.p.w.disk.read()
	s.p.note("get %d", now.cred.Generation)
	return now.cred, err
}

func (s *modelStore) Update(ctx context.Context, c credential.Credential, ifGeneration uint64) (credential.Credential, error) {
	s.p.stop(ctx, opUpdate)
	d := &s.p.w.disk
	now, err := d.read()
	switch {
	case err != nil:
		return c, errors.Join(credential.ErrConflict, err)
	case now.cred.Generation != ifGeneration:
		return c, credential.ErrConflict
	case d.full:
		return c, errModelFull
	}
	c.Generation = ifGeneration + 1
	d.replace(now, c)
	s.p.note("updated %d", c.Generation)
	return c, nil
}

func (s *modelStore) BeginRotation(ctx context.Context, _ credential.Key, _ uint64) (credential.Rotation, error) {
	p, d := s.p, &s.p.w.disk
	early, err := d.read()
	if err != nil {
		return nil, err
	}
	if fate := p.stop(ctx, opLock); fate.fault != "" {
		return nil, ctx.Err()
	}
	r := &modelRotation{p: p, d: d}
	now, err := d.read()
	if err == nil {
		d.lock = r
		now, err = r.recover(now)
	}
	if err != nil {
		p.note("lock %v", err)
		r.unlock()
		return nil, err
	}
	r.first, r.base = now.cred, now.cred
	r.interrupted = d.intent == now.cred.RefreshToken.Reveal()
	switch p.w.without {
	case rereading:
		r.first = early.cred
	case adopting:
		r.first.Received.Wall = r.first.Received.Wall.Add(-2 * modelLifetime)
	}
	p.held = r
	p.note("lock %d %v", r.first.Generation, r.interrupted)
	return r, nil
}

// modelRotation is a held lock.
type modelRotation struct {
	p           *modelProc
	d           *modelDisk
	first, base credential.Credential
	attempt     *credential.Credential // what the last failed Commit tried to write
	room        bool                   // set aside by Reserve
	reserved    bool                   // the intent is ours
	interrupted bool
	refused     bool        // the provider refused the token
	starved     bool        // a Commit failed for want of room
	aside       *modelAside // ours
	late        *credential.Credential
}

// recover installs what an earlier rotation kept aside.
func (r *modelRotation) recover(now modelRecord) (modelRecord, error) {
	d, all := r.d, r.d.spill
	for _, a := range all {
		if a.succeeds(now.cred) {
			if d.full {
				return now, errModelFull
			}
			next := a.cred
			next.Generation = max(next.Generation, now.cred.Generation+1)
			d.replace(now, next)
			r.p.wrote()
			d.intent = ""
			r.p.wrote()
			now = d.now
		}
		if a.cred.Grant == now.cred.Grant {
			d.discard(a)
		}
	}
	return now, nil
}

func (r *modelRotation) Record() credential.Credential { return r.first }

func (r *modelRotation) Interrupted() bool { return r.interrupted }

func (r *modelRotation) MaySend(context.Context) error { return nil }

func (r *modelRotation) Salvage(context.Context, secret.String) error {
	if r.p.w.without != salvaging {
		r.d.raw++
	}
	return nil
}

func (r *modelRotation) Reserve(ctx context.Context) error {
	fate := r.p.stop(ctx, opReserve)
	d, w := r.d, r.p.w
	now, err := d.load()
	switch {
	case err != nil || now.gone || now.cred.Generation != r.base.Generation || now.cred.Grant != r.base.Grant:
		r.p.note("overtaken")
		return credential.ErrConflict
	case d.full:
		r.p.note("full")
		return errModelFull
	case fate.fault != "":
		r.p.note("bad")
		return errModelIO
	}
	if w.without != keepingPrevious {
		d.keepPrevious(now)
		r.p.wrote()
	}
	r.room = w.without != reserving
	if w.without != intending {
		d.intent = r.base.RefreshToken.Reveal()
		r.reserved = true
		// Syncing the folder for the intent also makes a rename last after
		// which a predecessor died.
		d.synced, d.writer = d.now, nil
	}
	r.p.note("reserved")
	return nil
}

func (r *modelRotation) Commit(ctx context.Context, next credential.Credential) (credential.Credential, error) {
	next = r.p.w.spoil(next)
	next.Grant, next.Generation = r.base.Grant, r.base.Generation+1
	if r.p.w.without == storingFirst {
		r.late = &next
		return next, nil
	}
	fate := r.p.stop(context.WithoutCancel(ctx), opCommit)
	return r.commit(fate, next)
}

func (r *modelRotation) commit(fate modelFate, next credential.Credential) (credential.Credential, error) {
	p, d := r.p, r.d
	err := r.write(fate, &next)
	if err == nil {
		r.base, r.attempt = next, nil
		r.interrupted, r.reserved = false, false
		if p.w.without != clearingIntent {
			d.intent = ""
		}
		p.spent, p.unstored = false, false
		r.discard()
		p.note("stored %d", next.Generation)
		return next, nil
	}
	if p.w.without == holdingOn {
		r.unlock()
	}
	// Room is made sure of before the token is spent, and what cannot be stored
	// is kept aside: neither is an excuse for a loss.
	p.spent = p.spent && fate.fault == "badspill"
	r.starved = errors.Is(err, errModelFull)
	if d.full || fate.fault == "badspill" || p.w.without == keepingAside {
		p.note("unstored %v", err)
		return next, fmt.Errorf("committing: %w; it could not be kept aside", err)
	}
	r.discard()
	r.aside = &modelAside{next, r.base.RefreshToken}
	d.spill = append(d.spill, r.aside)
	p.spent = false
	p.note("aside %v", err)
	return next, fmt.Errorf("committing: %w", err)
}

// write is one compare-and-swap.
func (r *modelRotation) write(fate modelFate, next *credential.Credential) error {
	d, w := r.d, r.p.w
	now, err := d.load()
	if err != nil && !now.damaged {
		return err
	}
	switch {
	case w.without == comparing:
	case !now.gone && now.cred.Grant == r.base.Grant && now.cred.Generation == r.base.Generation:
	case r.attempt != nil && !now.gone && now.cred.Equal(*r.attempt):
		next.Generation = now.cred.Generation + 1
	default:
		return credential.ErrSuperseded
	}
	switch {
	case d.full && !r.room:
		return errModelFull
	case fate.fault == "badwrite" || fate.fault == "badspill":
		r.room = false // the space is used up
		return errModelIO
	}
	if w.without != keepingPrevious {
		d.keepPrevious(now)
		r.p.wrote()
	}
	r.room = false
	written := *next
	r.attempt = &written
	d.now, d.writer = modelRecord{cred: written}, r.p
	r.p.wrote()
	if fate.fault == "badsync" {
		return errModelIO
	}
	if w.without != syncing {
		d.synced, d.writer = d.now, nil
	}
	// From here on the answer is safe, whoever dies.
	r.p.spent = false
	r.p.wrote()
	return nil
}

func (r *modelRotation) Candidates(context.Context) ([]credential.Credential, error) {
	if r.p.w.without == candidates {
		return nil, nil
	}
	var all []credential.Credential
	for _, a := range r.d.spill {
		all = append(all, a.cred)
	}
	if r.d.prev.overtakes(r.first) {
		all = append(all, r.d.prev.cred)
	}
	slices.SortStableFunc(all, func(a, b credential.Credential) int { return cmp.Compare(b.Generation, a.Generation) })
	return slices.DeleteFunc(all, func(c credential.Credential) bool {
		return c.Grant != r.first.Grant || c.RefreshToken.Equal(r.first.RefreshToken)
	}), nil
}

func (r *modelRotation) Discard(context.Context) error {
	r.p.stop(context.Background(), opDiscard)
	r.discard()
	return nil
}

func (r *modelRotation) discard() {
	r.d.discard(r.aside)
	r.aside = nil
}

func (r *modelRotation) Release(unspent bool) error {
	if r.late != nil {
		go func() {
			fate := r.p.stop(context.Background(), opFlush)
			_, _ = r.commit(fate, *r.late)
			r.unlock()
		}()
		return nil
	}
	r.p.stop(context.Background(), opRelease)
	if unspent && r.reserved && !r.interrupted && r.p.w.without != clearingIntent {
		r.d.intent = ""
	}
	r.unlock()
	return nil
}

func (r *modelRotation) unlock() {
	if r.d.lock == r {
		r.d.lock = nil
	}
	r.p.held = nil
}
