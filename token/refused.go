package token

import (
	"context"
	"errors"
	"slices"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/share"
)

// The steps of a rotation after the provider said that the refresh token is
// dead. That is believed when nobody knows of another one.

// search is what a rotation knows of refresh tokens besides the record's.
type search struct {
	refused []secret.String         // those that were
	asked   bool                    // the store was asked for others
	others  []credential.Credential // what may be sent in the record's place
	sent    *credential.Credential  // what is sent in its place; nil: nothing
}

// refuse looks where a newer token may be: in the record, which a login may have
// replaced meanwhile, in the file of the tool that shares the credential, and in
// what the store has kept aside.
func (r *rotation) refuse() step {
	r.search.refused = append(r.search.refused, r.sending().RefreshToken)
	current, err := r.m.cfg.Store.Get(r.ctx, r.key)
	if err != nil || !r.sameLogin(current) {
		// Refused was a token that may not be the record's any more.
		return stepOvertaken
	}
	if r.toolWasFaster() {
		return stepShareAdopt
	}
	if !r.search.asked {
		r.search.asked = true
		kept, err := r.held.Candidates(r.ctx)
		if err != nil {
			return r.failStore("looking for other tokens of", err)
		}
		r.search.others = append(kept, r.search.others...)
	}
	return stepCandidate
}

// toolWasFaster reports whether the tool that shares the credential has put a
// token into its file that was not refused yet. Tools do so without their lock.
func (r *rotation) toolWasFaster() bool {
	if r.theirs.lock == nil {
		return false
	}
	relation, err := r.lookAgain()
	return err == nil && relation == share.Theirs && !r.wasRefused(r.theirs.found.RefreshToken)
}

// tryCandidate sends the newest refresh token that was not refused yet in the
// record's place. The record, and the intent to spend its token, stay as they
// are until there is an answer: who finds them after a crash comes here again.
func (r *rotation) tryCandidate() step {
	for len(r.search.others) > 0 {
		next := r.search.others[0]
		r.search.others = r.search.others[1:]
		if next.RefreshToken.IsZero() || r.wasRefused(next.RefreshToken) {
			continue
		}
		r.m.log.Info("the refresh token was refused, trying another one", "key", r.key, "generation", next.Generation)
		sent := r.record
		sent.RefreshToken, sent.RefreshExpiresAt = next.RefreshToken, next.RefreshExpiresAt
		r.search.sent = &sent
		return stepSend
	}
	r.cause = credential.CauseRefused
	if r.lost {
		// The answer that would have told us the newer token never came.
		r.cause = credential.CauseAnswerLost
	}
	return stepDemote
}

func (r *rotation) wasRefused(token secret.String) bool {
	return slices.ContainsFunc(r.search.refused, token.Equal)
}

// demote stores that a login is needed. Every secret is kept.
func (r *rotation) demote() step {
	needsLogin := func(c credential.Credential) credential.Credential {
		c.State, c.Cause = credential.NeedsLogin, r.cause
		return c
	}
	ctx := context.WithoutCancel(r.ctx)
	stored, err := r.held.Commit(ctx, needsLogin(r.record))
	if errors.Is(err, credential.ErrSuperseded) {
		r.discard(ctx)
		stored, err = r.amend(ctx, r.sameLogin, needsLogin)
	}
	switch {
	case errors.Is(err, credential.ErrNotFound):
		return r.gone()
	case errors.Is(err, errOvertaken):
		r.event(Adopted, stored, nil)
		return r.adopt(stored)
	case err != nil:
		return r.failStore("storing the refusal of", err)
	}
	r.event(NeedsLogin, stored, nil)
	how := ResultRefused
	if r.cause == credential.CauseProviderChanged {
		how = ResultProvider // which was not asked
	}
	return r.end(how, result{cred: stored})
}
