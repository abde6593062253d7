package login

import (
	"context"

	"github.com/usherauth/usher/credential"
)

// bounded is a store that waits for its locks for persistTimeout at most. A
// process that stopped while it held one holds up every change; it must not hold
// up the end of a login, a start or [Registry.Close] for ever.
type bounded struct{ credential.Store }

func (s bounded) NewOwner(ctx context.Context) (credential.Owner, error) {
	ctx, cancel := context.WithTimeout(ctx, persistTimeout)
	defer cancel()
	return s.Store.NewOwner(ctx)
}

func (s bounded) CreateLogin(ctx context.Context, l credential.Login, maxActive int) (credential.Login, error) {
	ctx, cancel := context.WithTimeout(ctx, persistTimeout)
	defer cancel()
	return s.Store.CreateLogin(ctx, l, maxActive)
}

func (s bounded) LiveLogin(ctx context.Context, key credential.Key) (credential.Login, error) {
	ctx, cancel := context.WithTimeout(ctx, persistTimeout)
	defer cancel()
	return s.Store.LiveLogin(ctx, key)
}

func (s bounded) LoginChanges(ctx context.Context, since string) (credential.LoginChanges, error) {
	ctx, cancel := context.WithTimeout(ctx, persistTimeout)
	defer cancel()
	return s.Store.LoginChanges(ctx, since)
}

func (s bounded) UpdateLogin(ctx context.Context, l credential.Login, ifVersion uint64) (credential.Login, error) {
	ctx, cancel := context.WithTimeout(ctx, persistTimeout)
	defer cancel()
	return s.Store.UpdateLogin(ctx, l, ifVersion)
}

func (s bounded) ClaimLogin(ctx context.Context, id, owner string) (credential.Login, error) {
	ctx, cancel := context.WithTimeout(ctx, persistTimeout)
	defer cancel()
	return s.Store.ClaimLogin(ctx, id, owner)
}

func (s bounded) DeleteLogin(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, persistTimeout)
	defer cancel()
	return s.Store.DeleteLogin(ctx, id)
}
