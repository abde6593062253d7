package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
	"github.com/usherauth/usher/login"
)

const loginListHelp = `List the logins that are pending, and those that ended in the last minutes,
whoever started them.

usage: usher login list [flags]

  --json   print a JSON array

Link and code are not among it: usher login wait shows them again.

example:
  usher login list
`

func (a *app) loginListCommand() *cobra.Command {
	var asJSON bool
	cmd := a.command(&cobra.Command{
		Use: "list", Short: "the logins that are pending", Long: loginListHelp, Args: arguments(),
	}, func(ctx context.Context, _ []string) error {
		return a.runLoginList(ctx, asJSON)
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) runLoginList(ctx context.Context, asJSON bool) error {
	logins, err := a.readLogins(ctx)
	switch {
	case err != nil:
		return err
	case asJSON:
		return a.printJSON(logins)
	case len(logins) == 0:
		a.sayf("No login is pending.")
		return nil
	}
	return a.printLines(loginLines(logins, time.Now(), a.out.Columns()))
}

func (a *app) readLogins(ctx context.Context) ([]api.Login, error) {
	dirs, err := a.dirs()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dirs.Home); errors.Is(err, fs.ErrNotExist) {
		return []api.Login{}, nil // looking must not make the folder
	}
	s, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close(cancelBound)
	return recentLogins(ctx, s)
}

// recentLogins are the logins that are pending and those that ended within the
// grace, oldest first. A data folder may still have older ones, as long as
// nobody cleans up.
func recentLogins(ctx context.Context, s *session) ([]api.Login, error) {
	all, err := s.Logins(ctx)
	return slices.DeleteFunc(all, func(l api.Login) bool {
		return l.Ended() && time.Since(l.EndedAt) > login.Grace
	}), err
}

// loginLines is the table of logins.
func loginLines(logins []api.Login, now time.Time, columns int) []string {
	t := term.Table{Header: []string{"KEY", "STATE", "EXPIRES", "ASKED BY", "ID"}, Drop: []int{4, 3}} // a key does for an id
	for _, l := range logins {
		expires := when(l.ExpiresAt, now)
		if l.Ended() {
			expires = "ended " + when(l.EndedAt, now)
		}
		t.Rows = append(t.Rows, []string{l.Key, show(l.Status), expires, show(l.Origin), l.ID})
	}
	return t.Lines(columns)
}
