package cli

import (
	"context"
	"errors"
	"os"
	"os/user"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/provider"
)

const loginHelp = `Log in. Shows a link and a code; open the link on any device with a browser,
approve there, and the tokens land on this machine.

usage: usher login KEY [flags]

  --scope S       ask for this scope; repeat for more (default: the provider's)
  --timeout D     stop waiting after this time, such as 90s, with exit code 8;
                  the login stays pending, and the same command goes on with it
  --share-with T  keep the tokens in step with the file of another tool, which
                  must be qwen (default: as before, or as the provider says)
  --no-share      share them with no tool
  --no-qr         show no QR code
  --no-prompt     do not offer to start over when the code has expired
  --no-browser    open no browser on this machine (it never does)
  --json          print the pending login with link and code, and the ended
                  login, as one line of JSON each

A login that is pending for KEY already is joined. Ctrl-C cancels a login that
was started here, and only leaves one that was joined.

examples:
  usher login github
  usher login github/work --scope repo
  usher login example --json --timeout 5m
`

// loginOptions are the arguments of login.
type loginOptions struct {
	key       string // empty: not given
	scopes    []string
	timeout   time.Duration // 0: none
	noQR      bool
	noBrowser bool // nothing opens a browser yet
	shareWith string
	noShare   bool
	quiet     bool // ask nothing
	json      bool
}

func (a *app) loginCommand() *cobra.Command {
	var o loginOptions
	cmd := a.command(&cobra.Command{
		Use: "login KEY", Short: "log in", Long: loginHelp, Args: atMostOne("KEY"),
	}, func(ctx context.Context, args []string) error {
		if len(args) == 1 {
			o.key = args[0]
		}
		return a.runLogin(ctx, o)
	})
	f := cmd.Flags()
	f.StringArrayVar(&o.scopes, "scope", nil, "ask for this scope")
	f.DurationVar(&o.timeout, "timeout", 0, "stop waiting after this time")
	f.BoolVar(&o.noQR, "no-qr", false, "show no QR code")
	f.BoolVar(&o.noBrowser, "no-browser", false, "open no browser")
	sharingFlags(cmd, &o.shareWith, &o.noShare)
	f.BoolVar(&o.quiet, "no-prompt", false, "do not offer to start over")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *app) runLogin(ctx context.Context, o loginOptions) error {
	if o.key == "" {
		return a.whichProvider()
	}
	if o.timeout < 0 {
		return usagef("--timeout must not be negative")
	}
	if err := checkSharing(&o.shareWith, o.noShare); err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx, syscall.SIGHUP)
	defer stop()
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	err = a.logIn(ctx, s, o)
	bound := settleBound
	if ctx.Err() != nil {
		bound = cancelBound
	}
	s.close(bound)
	return err
}

// logIn logs in, and once more as often as a person at the terminal wants to
// after a login that came to nothing.
func (a *app) logIn(ctx context.Context, s *session, o loginOptions) error {
	for {
		err := a.logInOnce(ctx, s, o)
		if !a.canStartOver(o, err) {
			return err
		}
		again, askErr := a.agree(ctx, asError(err).Message+". Start over?")
		if askErr != nil {
			return askErr
		}
		if !again {
			return err
		}
	}
}

func (a *app) logInOnce(ctx context.Context, s *session, o loginOptions) error {
	// What cannot be read here shows in the login itself.
	before, _ := s.Credential(ctx, o.key)
	login, p, err := a.startLogin(ctx, s, o)
	if err != nil {
		return err
	}
	if o.json {
		if err := a.printJSON(login); err != nil {
			return err
		}
	}
	if !login.Ended() {
		a.showLogin(login, p, !o.noQR)
		if login, err = a.await(ctx, s, login, o); err != nil {
			return err
		}
	}
	if o.json {
		if err := a.printJSON(login); err != nil {
			return err
		}
	}
	return a.tellEnd(login, before)
}

// startLogin starts the login, or joins the one that is pending.
func (a *app) startLogin(ctx context.Context, s *session, o loginOptions) (api.Login, provider.Provider, error) {
	began := time.Now()
	login, err := s.StartLogin(ctx, api.StartLogin{
		Key: o.key, Method: api.MethodDevice, Scopes: o.scopes, ShareWith: o.shareWith, Origin: origin(),
	})
	name, _, _ := strings.Cut(o.key, "/")
	p, problems := a.lookProvider(s, name)
	a.warnAll(problems)
	if err != nil {
		if ctx.Err() != nil {
			a.cancelStart(s, o.key, began)
		}
		if e := asError(err); e.Code == api.CodeProviderUnreachable && p.Note != "" {
			return login, p, e.WithHint("%s\n%s", p.Note, e.Hint)
		}
	}
	return login, p, err
}

// cancelStart cancels the login of key that this process began to start and
// was interrupted at.
func (a *app) cancelStart(s *session, key string, began time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), cancelBound)
	defer cancel()
	logins, err := s.Logins(ctx)
	if err != nil {
		return // nothing can be told of it; it expires
	}
	for _, l := range logins {
		// Times in views are whole seconds.
		if l.Key == key && !l.Ended() && l.Origin == origin() && !l.CreatedAt.Before(began.Truncate(time.Second)) {
			_, _ = s.CancelLogin(ctx, l.ID)
		}
	}
}

// lookProvider returns what the configuration says about a provider, for
// showing, and what is wrong with the configuration.
func (a *app) lookProvider(s *session, name string) (provider.Provider, []error) {
	c := catalogue(s.dirs)
	p, err := c.Lookup(name)
	if err != nil {
		p = provider.Provider{Name: name, Title: name}
	}
	return p, c.Problems()
}

// whichProvider answers a login without a key with what can be logged in to.
func (a *app) whichProvider() error {
	dirs, err := a.dirs()
	if err != nil {
		return err
	}
	c := catalogue(dirs)
	var ready []string
	for _, p := range c.List() {
		if p.Check() == nil {
			ready = append(ready, p.Name)
		}
	}
	a.warnAll(c.Problems())
	return usagef("login to what? Ready are: %s", strings.Join(ready, ", ")).
		WithHint("run: usher login KEY, such as: usher login %s\nadd another provider with: usher provider add NAME --issuer URL --client-id ID", ready[0])
}

// warnAll tells what is wrong with the configuration.
func (a *app) warnAll(problems []error) {
	for _, p := range problems {
		a.warnf("%s", show(p.Error()))
	}
}

// origin is who asks for a login, as user@host.
func origin() string {
	name := "someone"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	return name + "@" + host
}

// await waits for the end of a login, and shows how it goes. It returns an
// error when the login is still pending, or was when waiting ended.
func (a *app) await(ctx context.Context, s *session, login api.Login, o loginOptions) (api.Login, error) {
	waiting := ctx
	if o.timeout > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	stop := a.showProgress(waiting, s, login)
	ended, err := s.WaitLogin(waiting, login.ID)
	stop()
	switch {
	case err == nil:
		return ended, nil
	case ctx.Err() != nil:
		return a.giveUp(s, login)
	case errors.Is(waiting.Err(), context.DeadlineExceeded):
		return login, api.Errorf(api.CodeLoginPending, "the login for %s is still pending after %s", login.Key, o.timeout).
			WithHint("run the same command again to go on: usher login %s", login.Key)
	}
	return login, err
}

// giveUp is what an interrupt does: it cancels the login if it was started
// here, and leaves it to the others otherwise. A login that had ended by then,
// or whose token was being stored, ends as it does.
func (a *app) giveUp(s *session, login api.Login) (api.Login, error) {
	if login.Attached {
		return login, api.Errorf(api.CodeInterrupted, "left; the login for %s stays pending", login.Key)
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleBound)
	defer cancel()
	ended, err := s.CancelLogin(ctx, login.ID)
	if err == nil && !ended.Ended() {
		ended, err = s.WaitLogin(ctx, login.ID)
	}
	switch {
	case err != nil:
		return login, api.Errorf(api.CodeInterrupted, "interrupted, and the login for %s could not be cancelled: %w", login.Key, err)
	case ended.Status == api.LoginCancelled:
		return ended, api.Errorf(api.CodeInterrupted, "the login for %s is cancelled", login.Key)
	}
	return ended, nil
}
