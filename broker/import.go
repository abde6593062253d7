package broker

import (
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/share"
)

// ImportRequest asks for an import; see [Broker.Import].
type ImportRequest struct {
	Key string
	// Found is what another tool obtained.
	Found share.Contents
	// ShareWith is as in [api.StartLogin].
	ShareWith string
	// Own tells that Found was read in the file of the tool ShareWith itself.
	// Whatever else is in that by now is newer, and the tool's; if Found is from
	// elsewhere, it takes the place of what is there.
	Own bool
	// Replace allows to replace a credential that works.
	Replace bool
}

// Import makes the credential of a key of what another tool obtained, as a login
// at its provider would have done. A credential that works is replaced only if
// that is asked for; it is an error of [api.CodeConflict] otherwise, as is a
// pending login of the key, and always what a credential holds already. Whatever
// goes wrong, the tokens are left as they are.
func (b *Broker) Import(ctx context.Context, r ImportRequest) (api.Credential, error) {
	k, err := credential.ParseKey(r.Key)
	if err != nil {
		return api.Credential{}, apiError(err, r.Key)
	}
	p, err := b.cfg.Providers.Lookup(k.Provider)
	if err == nil {
		err = p.Check()
	}
	if err != nil {
		return api.Credential{}, apiError(err, r.Key)
	}
	c, err := b.imported(ctx, k, r, p)
	if err != nil {
		return api.Credential{}, apiError(err, r.Key)
	}
	b.remember(ctx, k)
	c, err = b.logins.Import(ctx, c, r.Replace)
	if err != nil {
		return api.Credential{}, importError(err, k)
	}
	b.tokens.Forget(k)
	b.announce(c, stored)
	b.record(audit.Record{
		TraceID: newTrace(), Action: audit.ActionImport, Status: audit.StatusStored, Key: k.String(),
		LoginID: c.Grant, Generation: c.Generation,
	})
	return credentialView(c), nil
}

// imported is the credential that r makes of key at p.
func (b *Broker) imported(ctx context.Context, key credential.Key, r ImportRequest, p provider.Provider) (credential.Credential, error) {
	tool, err := b.sharedWith(ctx, key, r.ShareWith, p)
	if err != nil {
		return credential.Credential{}, err
	}
	if err := b.checkUnheld(ctx, key, tool, r.Found); err != nil {
		return credential.Credential{}, err
	}
	binding, err := b.bind(ctx, p)
	if err != nil {
		return credential.Credential{}, err
	}
	c := share.Adopt(credential.Credential{
		Key: key, Kind: credential.Refreshable, State: credential.Active, Binding: binding,
		Scopes: p.Scopes, Share: credential.Share{Tool: tool},
	}, r.Found, b.cfg.Clock.Now())
	c.RefreshedAt = time.Time{} // no refresh of ours
	if !r.Own || tool == "" {
		c.Share.Seen = ""
	}
	return c, nil
}

// checkUnheld refuses tokens that a credential holds already: under two keys the
// first refresh of one would spend the token of the other. Under their own key
// they may be imported once more, if asked for, to be shared otherwise.
func (b *Broker) checkUnheld(ctx context.Context, key credential.Key, tool string, found share.Contents) error {
	creds, _, err := b.readable(ctx)
	if err != nil {
		return err
	}
	for _, c := range creds {
		if !c.RefreshToken.Equal(found.RefreshToken) {
			continue
		}
		switch {
		case c.Key != key:
			return api.Errorf(api.CodeConflict, "this is the login of %s, which is here already, and a refresh token can be spent only once", c.Key).
				WithHint("go on with %s; for another login run: usher login %s", c.Key, key)
		case c.State == credential.Active && c.Share.Tool == tool:
			return api.Errorf(api.CodeConflict, "%s has this very login already", key).
				WithHint("nothing is left to import; run: usher status %s", key)
		}
	}
	return nil
}

// importError is the error for an import of key that did not come about.
func importError(err error, key credential.Key) *api.Error {
	switch {
	case errors.Is(err, login.ErrActive):
		return api.Errorf(api.CodeConflict, "there is a credential of %s already, and it works", key).
			WithHint("to replace it, add --force; to end it first run: usher logout %s", key)
	case errors.Is(err, credential.ErrLoginExists):
		return api.Errorf(api.CodeConflict, "a login of %s is pending", key).
			WithHint("finish that login, or end it with: usher logout %s", key)
	}
	return apiError(err, key.String())
}
