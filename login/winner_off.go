//go:build nowinner

package login

import (
	"context"
	"errors"

	"github.com/usherauth/usher/credential"
)

// arbitrated is the mistake that the tests of races must notice: a store whose
// comparisons are a formality. Never build with the tag nowinner but for them.
func arbitrated(s credential.Store) credential.Store { return everybodyWins{s} }

// standing is the other half of the mistake: a login that somebody has won is
// judged as if it were still to be had.
func standing(l credential.Login) credential.Login {
	if l.Method == credential.MethodDevice && l.Status() != credential.LoginStarting {
		l.State = credential.Pending{}
	}
	return l
}

type everybodyWins struct{ credential.Store }

func (s everybodyWins) CreateLogin(ctx context.Context, l credential.Login, maxActive int) (credential.Login, error) {
	stored, err := s.Store.CreateLogin(ctx, l, maxActive)
	if errors.Is(err, credential.ErrLoginExists) {
		return stored, nil
	}
	return stored, err
}

func (s everybodyWins) UpdateLogin(ctx context.Context, l credential.Login, version uint64) (credential.Login, error) {
	stored, err := s.Store.UpdateLogin(ctx, l, version)
	if !errors.Is(err, credential.ErrConflict) {
		return stored, err
	}
	return s.overwrite(ctx, l)
}

func (s everybodyWins) ClaimLogin(ctx context.Context, id, owner string) (credential.Login, error) {
	claimed, err := s.Store.ClaimLogin(ctx, id, owner)
	if !errors.Is(err, credential.ErrOwned) && !errors.Is(err, credential.ErrConflict) {
		return claimed, err
	}
	if claimed, err = s.Store.GetLogin(ctx, id); err != nil {
		return claimed, err
	}
	if !claimed.Live() {
		claimed = standing(claimed)
	}
	claimed.Owner = owner
	return s.overwrite(ctx, claimed)
}

func (s everybodyWins) Settle(ctx context.Context, l credential.Login, won credential.Credential) (credential.Login, credential.Credential, error) {
	settled, stored, err := s.Store.Settle(ctx, l, won)
	if !errors.Is(err, credential.ErrConflict) && !errors.Is(err, credential.ErrSuperseded) {
		return settled, stored, err
	}
	again := l
	again.State, again.Superseded = credential.Persisting{Won: won}, false
	if again, err = s.overwrite(ctx, again); err != nil {
		return settled, stored, err
	}
	again.State = l.State
	return s.Store.Settle(ctx, again, won)
}

// overwrite stores l whatever is there.
func (s everybodyWins) overwrite(ctx context.Context, l credential.Login) (credential.Login, error) {
	now, err := s.Store.GetLogin(ctx, l.ID)
	if err != nil {
		return now, err
	}
	return s.Store.UpdateLogin(ctx, l, now.Version)
}
