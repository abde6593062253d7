package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
)

const loginCancelHelp = `Cancel a login that is pending, whoever started it. ID is a login's id, or the
key that it is for. One that was cancelled already stays so; one that has ended
otherwise is an error.

usage: usher login cancel ID [flags]

  --json   print the login as JSON

examples:
  usher login cancel github
  usher login cancel 8c7e2f0a-5a53-4f7e-9a44-0b1d2f9a6c11
`

func (a *app) loginCancelCommand() *cobra.Command {
	var asJSON bool
	cmd := a.command(&cobra.Command{
		Use: "cancel ID", Short: "cancel a login", Long: loginCancelHelp, Args: arguments("ID"),
	}, func(ctx context.Context, args []string) error {
		return a.runLoginCancel(ctx, args[0], asJSON)
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) runLoginCancel(ctx context.Context, name string, asJSON bool) error {
	return a.withSession(ctx, func(ctx context.Context, s *session) error {
		l, err := a.findLogin(ctx, s, name)
		if err == nil && !l.Ended() {
			l, err = cancelLogin(ctx, s, l.ID)
		}
		if err != nil {
			return err
		}
		return a.tellCancelled(l, asJSON)
	})
}

// tellCancelled tells what cancelling l came to.
func (a *app) tellCancelled(l api.Login, asJSON bool) error {
	if asJSON {
		if err := a.printLogin("login."+l.Status, l); err != nil {
			return err
		}
	}
	switch l.Status {
	case api.LoginCancelled:
		a.sayf("The login for %s is cancelled.", l.Key)
		return nil
	case api.LoginAuthorized:
		return api.Errorf(api.CodeLoginEnded, "the login for %s was approved before it could be cancelled", l.Key).
			WithHint("log out again: usher logout %s", l.Key)
	}
	return api.Errorf(api.CodeLoginEnded, "the login for %s has ended already: %s", l.Key, show(l.Status)).
		WithHint("see what is pending: usher login list")
}

// cancelLogin cancels a login. One whose token is being stored ends as that
// does, which is waited for.
func cancelLogin(ctx context.Context, s *session, id string) (api.Login, error) {
	ctx, cancel := context.WithTimeout(ctx, settleBound)
	defer cancel()
	ended, err := s.CancelLogin(ctx, id)
	if err == nil && !ended.Ended() {
		ended, err = s.WaitLogin(ctx, id)
	}
	return ended, err
}
