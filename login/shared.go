package login

import (
	"context"
	"errors"
	"io/fs"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/share"
)

// seen is c, about to be stored, with what the file of the tool that shares it
// holds now. The new tokens take the place of that, so it counts as seen: only a
// later change is the tool's own. An import from that file knows already.
func (r *Registry) seen(c credential.Credential) credential.Credential {
	if c.Share.Tool == "" || c.Share.Seen != "" {
		return c
	}
	f, err := r.cfg.Share(c.Share.Tool)
	if err == nil {
		var found share.Contents
		found, err = f.Read()
		// Also one that the tool spoilt has a refresh token.
		c.Share.Seen = share.Digest(found.RefreshToken)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.cfg.Log.Warn("reading the file that is shared", "tool", c.Share.Tool, "error", err)
	}
	return c
}

// settled does what is to be done when c is stored and nobody was told. It may
// not take so long that the login counts as one whose store hangs: ctx is that of
// the persist.
func (r *Registry) settled(ctx context.Context, c credential.Credential) {
	ctx, cancel := context.WithTimeout(ctx, settledTimeout)
	defer cancel()
	r.cfg.Settled(ctx, c)
}
