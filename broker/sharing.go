package broker

import (
	"context"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/share"
)

// sharedWith is the tool that the credential of a login of key is to be shared
// with, empty for none: the one that is asked for, else that of the credential
// there is, else, for the account default, that of p.
func (b *Broker) sharedWith(ctx context.Context, key credential.Key, asked string, p provider.Provider) (string, error) {
	tool := asked
	switch asked {
	case api.ShareNone:
		return "", nil
	case "":
		// One that is damaged must not keep anybody from logging in again.
		if c, err := b.cfg.Store.Get(ctx, key); err == nil {
			tool = c.Share.Tool
		} else if key.Account == credential.DefaultAccount {
			tool = p.ShareWith
		}
	}
	if tool == "" {
		return "", nil
	}
	if err := share.Check(tool); err != nil {
		return "", api.Errorf(api.CodeInvalidRequest, "share_with: %w", err)
	}
	return tool, b.checkUnshared(ctx, key, tool)
}

// checkUnshared refuses a tool that another key is shared with, or will be: its
// one file has room for the tokens of one credential.
func (b *Broker) checkUnshared(ctx context.Context, key credential.Key, tool string) error {
	taken := func(by credential.Key) error {
		return api.Errorf(api.CodeConflict, "%s is shared with %s already", by, tool).
			WithHint("to log in to %s without sharing it run: usher login %s --no-share", key, key)
	}
	creds, _, err := b.readable(ctx)
	if err != nil {
		return err
	}
	for _, c := range creds {
		if c.Share.Tool == tool && c.Key != key {
			return taken(c.Key)
		}
	}
	live, err := b.liveLogins(ctx)
	if err != nil {
		return err
	}
	for _, l := range live {
		if l.ShareWith == tool && l.Key != key {
			return taken(l.Key)
		}
	}
	return nil
}

// checkJoined refuses to join l for somebody who asked for another sharing than
// it has.
func checkJoined(l login.Snapshot, asked, tool string) error {
	if asked == "" || l.ShareWith == tool {
		return nil
	}
	with := l.ShareWith
	if with == "" {
		with = "nothing"
	}
	return api.Errorf(api.CodeConflict, "a login of %s is pending whose credential will be shared with %s", l.Key, with).
		WithHint("finish that login, or end it with: usher logout %s", l.Key)
}

// settled brings the file of the tool that c is shared with in step, after a
// login. A file that cannot be written is tried again by the token manager, and
// is no reason to call a login failed.
func (b *Broker) settled(ctx context.Context, c credential.Credential) {
	if c.Share.Tool == "" {
		return
	}
	if err := b.tokens.Sync(ctx, c.Key); err != nil {
		b.cfg.Log.Warn("sharing after a login", "key", c.Key.String(), "tool", c.Share.Tool, "error", err)
	}
}

// unsharePatience is how long a logout waits for the tool that shares the
// credential.
const unsharePatience = 10 * time.Second

// unshare takes the tokens of c, which is logged out, away from the tool that
// they were shared with. It is told in out and no reason to call the logout
// failed.
func (b *Broker) unshare(ctx context.Context, c credential.Credential, out *api.Logout) {
	if c.Share.Tool == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unsharePatience)
	defer cancel()
	err := b.tokens.Unshare(ctx, c)
	if err == nil {
		out.Unshared = c.Share.Tool
		return
	}
	b.cfg.Log.Warn("ending the sharing after a logout", "key", out.Key, "tool", c.Share.Tool, "error", err)
	addFailure(out, &api.Failure{
		Code: api.CodeStoreFailure,
		Hint: "the file of " + c.Share.Tool + " may still have the tokens, remove it: " + apiError(err, out.Key).Message,
	})
}
