package cli

import (
	"context"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
)

const logoutHelp = `Log out: revoke the tokens at the provider (RFC 7009), then remove them from
this machine, and from the file of the tool that shares them. They are removed
even if the provider does not answer; the exit code is 1 or 6 then.

usage: usher logout KEY [flags]

  --account A     the account, for KEY without one
  --keep-remote   do not revoke at the provider
  --json          print a JSON object: what was removed and revoked

example:
  usher logout github
`

// logoutOptions are the arguments of logout.
type logoutOptions struct {
	key        string
	account    string
	keepRemote bool
	json       bool
}

func (a *app) logoutCommand() *cobra.Command {
	var o logoutOptions
	cmd := a.command(&cobra.Command{
		Use: "logout KEY", Short: "revoke and remove", Long: logoutHelp, Args: arguments("KEY"),
	}, func(ctx context.Context, args []string) error {
		o.key = args[0]
		return a.runLogout(ctx, o)
	})
	cmd.Flags().StringVar(&o.account, "account", "", "the account")
	cmd.Flags().BoolVar(&o.keepRemote, "keep-remote", false, "do not revoke at the provider")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *app) runLogout(ctx context.Context, o logoutOptions) error {
	key, err := a.resolveKey(o.key, o.account)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx, syscall.SIGHUP)
	defer stop()
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.close(settleBound)
	done, err := s.Logout(ctx, api.LogoutRequest{Key: key, KeepRemote: o.keepRemote})
	if err != nil {
		return err
	}
	if o.json {
		if err := a.printJSON(done); err != nil {
			return err
		}
	}
	return a.tellLogout(done)
}

// tellLogout tells what a logout did. A revocation that failed is an error:
// the tokens may still work for whoever has a copy. So is a copy that stays.
func (a *app) tellLogout(done api.Logout) error {
	if done.CancelledLogin != "" {
		a.sayf("Cancelled the pending login for %s.", done.Key)
	}
	if done.Unshared != "" {
		a.sayf("Removed the file of %s as well, which had the same tokens.", show(done.Unshared))
	}
	if done.Error != nil && done.Revocation != api.RevocationFailed {
		return api.Errorf(done.Error.Code, "logged out of %s, but %s", done.Key, done.Error.Hint)
	}
	switch {
	case !done.Removed:
		a.sayf("Not logged in to %s; nothing was removed.", done.Key)
	case done.Revocation == api.RevocationRevoked:
		a.sayf("Logged out of %s; the provider revoked the tokens.", done.Key)
	case done.Revocation == api.RevocationUnsupported:
		a.sayf("Logged out of %s; the provider offers no revocation, so the tokens stay valid until they expire.", done.Key)
	case done.Revocation == api.RevocationKept:
		a.sayf("Logged out of %s; the tokens were not revoked, as asked.", done.Key)
	case done.Revocation == api.RevocationNothing:
		a.sayf("Logged out of %s; there was no token to revoke.", done.Key)
	default:
		e := api.Errorf(api.CodeRevocationLost, "removed %s here, but the tokens were not revoked", done.Key).
			WithHint("they stay valid until they expire; revoke them on the provider's page if that matters")
		if done.Error != nil {
			e.Code = done.Error.Code
			e.Message += ": " + done.Error.Hint
		}
		return e
	}
	return nil
}
