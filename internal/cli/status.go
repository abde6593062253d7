package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/term"
)

const statusHelp = `Show what is logged in: state, when the access token expires, when it was last
refreshed, and a label of the account. Makes no connection but to the daemon of
this data folder, and refreshes nothing. Within seven days of the end of what
can be renewed, it says when a login will be needed.

usage: usher status [KEY] [flags]

  --account A  the account, for KEY without one
  --expect X   for monitors and scripts: exit 3, and say which and why, unless
               every credential shown meets X; there must be at least one
                 active       it yields tokens now, without a person
                 valid:TIME   and for that long, such as valid:10m or valid:7d:
                              its token lives so long, or can be renewed and no
                              end of that is known to come earlier
  --json       print JSON: an array, or the one object of KEY

With KEY the exit code is 3 if there is nothing usable.

examples:
  usher status
  usher status github --json
  usher status --expect valid:1h || mail -s 'log in again' ada
`

// statusOptions are the arguments of status.
type statusOptions struct {
	key     string // empty: all
	account string
	json    bool
	expect  string
	// newcomer: say more about the first steps.
	newcomer bool
}

func (a *app) statusCommand() *cobra.Command {
	var o statusOptions
	cmd := a.command(&cobra.Command{
		Use: "status [KEY]", Short: "what is logged in", Long: statusHelp, Args: atMostOne("KEY"),
	}, func(ctx context.Context, args []string) error {
		if len(args) == 1 {
			o.key = args[0]
		}
		return a.runStatus(ctx, o)
	})
	cmd.Flags().StringVar(&o.account, "account", "", "the account")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.Flags().StringVar(&o.expect, "expect", "", "fail unless every credential meets this")
	return cmd
}

func (a *app) runStatus(ctx context.Context, o statusOptions) error {
	x, err := parseExpectation(o.expect)
	if err != nil {
		return err
	}
	switch {
	case o.key != "":
		if o.key, err = a.resolveKey(o.key, o.account); err != nil {
			return err
		}
	case o.account != "":
		return usagef("--account is the account of KEY, which is missing")
	}
	creds, logins, err := a.readStatus(ctx, o)
	if err != nil {
		return err
	}
	now := time.Now()
	if err := a.showStatus(o, creds, logins, now); err != nil {
		return err
	}
	if err := a.judge(x, creds, now); err != nil || o.json && o.key == "" {
		return err
	}
	return a.needed(o, creds, now)
}

// showStatus prints what was asked for.
func (a *app) showStatus(o statusOptions, creds []api.Credential, logins []api.Login, now time.Time) error {
	switch {
	case o.json && o.key != "":
		return a.printJSON(creds[0])
	case o.json:
		return a.printJSON(creds)
	case len(creds) == 0 && len(logins) == 0:
		if o.expect == "" {
			a.firstSteps(o.newcomer)
		}
		return nil
	}
	return a.printLines(statusLines(creds, logins, now, a.out.Columns()))
}

// needed says which of creds need a login, now or soon. Of the one that was
// asked for by its key it is the error of the command.
func (a *app) needed(o statusOptions, creds []api.Credential, now time.Time) error {
	for _, c := range creds {
		e := loginNeeded(c, now)
		switch {
		case e != nil && o.key != "":
			return e
		case e != nil:
			a.sayError(e)
		case neededSoon(c, now) && !o.json:
			a.sayf("%s", forecast(c, now))
		}
	}
	return nil
}

// readStatus reads what is to be shown. With a key there is one credential or
// an error.
func (a *app) readStatus(ctx context.Context, o statusOptions) ([]api.Credential, []api.Login, error) {
	dirs, err := a.dirs()
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(dirs.Home); errors.Is(err, fs.ErrNotExist) && o.key == "" {
		return []api.Credential{}, nil, nil // looking must not make the folder
	}
	s, err := a.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer s.close(cancelBound)
	if o.key != "" {
		c, err := s.Credential(ctx, o.key)
		return []api.Credential{c}, nil, err
	}
	creds, err := s.Credentials(ctx)
	if err != nil {
		return nil, nil, err
	}
	if o.json {
		return creds, nil, nil
	}
	all, err := s.Logins(ctx)
	if err != nil {
		return nil, nil, err
	}
	var pending []api.Login
	for _, l := range all {
		if !l.Ended() {
			pending = append(pending, l)
		}
	}
	return creds, pending, nil
}

// statusLines is the table of credentials and, below, that of pending logins.
func statusLines(creds []api.Credential, pending []api.Login, now time.Time, columns int) []string {
	var lines []string
	if len(creds) > 0 {
		t := term.Table{Header: []string{"KEY", "STATE", "EXPIRES", "REFRESHED", "ACCOUNT"}, Drop: []int{4, 3, 2}}
		for _, c := range creds {
			alias := c.Alias
			if alias == "" {
				alias = "-"
			}
			t.Rows = append(t.Rows, []string{c.Key, stateText(c, now), when(c.ExpiresAt, now), when(c.RefreshedAt, now), show(alias)})
		}
		lines = t.Lines(columns)
	}
	if len(pending) > 0 {
		if lines != nil {
			lines = append(lines, "")
		}
		t := term.Table{Header: []string{"PENDING LOGIN", "EXPIRES", "ASKED BY"}, Drop: []int{2, 1}}
		for _, l := range pending {
			t.Rows = append(t.Rows, []string{l.Key, when(l.ExpiresAt, now), show(l.Origin)})
		}
		lines = append(lines, t.Lines(columns)...)
	}
	return lines
}

func stateText(c api.Credential, now time.Time) string {
	if loginNeeded(c, now) != nil {
		return "needs login"
	}
	return show(c.State)
}

// loginNeeded is why c yields no token until somebody logs in, or nil.
func loginNeeded(c api.Credential, now time.Time) *api.Error {
	because := ""
	switch {
	case c.State == api.StateNeedsLogin:
		because = causeText(c.Cause)
	case !c.NeedsLoginBy.IsZero() && !c.NeedsLoginBy.After(now):
		because = "it has ended and cannot be renewed"
	default:
		return nil
	}
	e := api.Errorf(api.CodeLoginNeeded, "%s needs a login: %s", c.Key, because).WithHint("run: usher login %s", c.Key)
	e.Kind = c.Cause
	return e
}

// causeText is the cause of a needed login in words.
func causeText(cause string) string {
	switch credential.Cause(cause) {
	case credential.CauseRefused:
		return "the provider refused to renew it"
	case credential.CauseNoRefreshToken:
		return "it has ended and cannot be renewed"
	case credential.CauseProviderChanged:
		return "the configuration of its provider has changed"
	case credential.CauseAnswerLost:
		return "an answer of the provider was lost, and with it the token to renew it with"
	}
	return show(cause)
}

// firstSteps says what to do where nothing is logged in.
func (a *app) firstSteps(newcomer bool) {
	a.sayf("Nothing is logged in yet.")
	if newcomer {
		a.sayf("\nTry it, with nothing to set up:   usher demo")
		a.sayf("See where you can log in:         usher provider list")
		a.sayf("Log in, with your phone:          usher login KEY")
		a.sayf("Everything else:                  usher --help")
		return
	}
	a.sayf("hint: usher provider list shows where you can log in; then run: usher login KEY")
}
