package filestore

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
)

// recover installs what earlier rotations could not store, if the record still
// is the one it belongs to, and returns the record. The caller holds lock and
// write.lock.
func (f folder) recover(now record) (record, error) {
	all, err := f.asides()
	if err != nil {
		return record{}, err
	}
	for _, a := range all {
		ours := a.belongs(*now.cred)
		if a.succeeds(*now.cred) {
			if now, err = f.install(now, a.cred); err != nil {
				return record{}, err
			}
		}
		// Another grant's answer has still to be revoked by somebody.
		if ours {
			if err := remove(a.path); err != nil {
				return record{}, failure("removing an installed answer", f.path, err)
			}
		}
	}
	return now, nil
}

// install makes next the record after now.
func (f folder) install(now record, next credential.Credential) (record, error) {
	next.Generation = max(next.Generation, now.generation+1)
	if next.Grant != now.grant { // the same token, imported once more
		next.Grant, next.Binding, next.Share = now.grant, now.cred.Binding, now.cred.Share
	}
	data, err := credential.Encode(next)
	if err != nil {
		return record{}, err
	}
	if err := f.store(now, data); err != nil {
		return record{}, err
	}
	if now, err = f.decode(data); err != nil {
		return record{}, err
	}
	now.raw = data
	return now, f.clearIntent()
}

// Candidates finds more than what BeginRotation installs only where files were
// exchanged behind our back: a cred.json from a backup beside a newer cred.prev.
func (r *rotation) Candidates(ctx context.Context) ([]credential.Credential, error) {
	all, err := r.f.asides()
	if err != nil {
		return nil, err
	}
	var found []credential.Credential
	for _, a := range all {
		found = append(found, a.cred)
	}
	prev, err := r.f.readPrevious()
	if err != nil {
		return nil, err
	}
	if prev.overtakes(r.first.Grant, r.first.Generation) {
		found = append(found, *prev.cred)
	}
	slices.SortStableFunc(found, func(a, b credential.Credential) int { return cmp.Compare(b.Generation, a.Generation) })
	tried := []credential.Credential{r.first, {}} // the empty token is not worth a try either
	for _, c := range found {
		sameToken := func(t credential.Credential) bool { return t.RefreshToken.Equal(c.RefreshToken) }
		if c.Grant == r.first.Grant && !slices.ContainsFunc(tried, sameToken) {
			tried = append(tried, c)
		}
	}
	return tried[2:], nil
}

// sweep removes the temporary files of killed writers. The caller holds lock
// and write.lock.
func (f folder) sweep() error {
	errs := []error{atomicfile.Sweep(f.path)}
	for _, dir := range f.spills() {
		exists, err := isDir(dir)
		if exists {
			err = atomicfile.Sweep(dir)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
