package cli

import (
	"context"
	"os"
	"os/user"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/provider"
)

const loginHelp = `Log in. Shows a link and a code; open the link on any device with a browser,
approve there, and the tokens land on this machine.

usage: usher login [KEY] [flags]
       usher login COMMAND

  list               the logins that are pending, and those that just ended
  wait ID            wait for a login that is pending, and take it over
  cancel ID          cancel it
  complete ID        bring the address that the browser was sent to

  --account A        the account, for KEY without one
  --scope S          ask for this scope; repeat for more (default: as the
                     provider says)
  --flow F           device: approve with a code on any device
                     code: log in in a browser, which comes back to this machine
                     auto: device where the provider has it (default)
  --callback-port N  the port that the browser comes back to (default: any)
  --no-wait          print the pending login and leave it; something goes on
                     waiting for the approval: the daemon, or a small process
  --timeout D        stop waiting after this time, such as 90s, with exit code
                     8; the login stays pending, and the same command goes on
  --share-with T     keep the tokens in step with the file of another tool,
                     which must be qwen (default: as before, or as the provider
                     says)
  --no-share         share them with no tool
  --plain            plain lines of text, nothing drawn, moved or erased: for
                     screen readers and for logs
  --qr W             auto, always or never show a QR code (default auto: where
                     it fits)
  --no-browser       open no browser on this machine
  --no-prompt        ask nothing and offer nothing, only show
  --json             print one line of JSON each time that something happens,
                     the first one with link and code

A browser is opened where a person sits before this machine, and never over SSH.
At a terminal, o opens the link, c copies it, and Esc or Ctrl-C cancels. A login
that is pending for KEY already is joined; Esc and Ctrl-C only leave that one.

examples:
  usher login github
  usher login github/work --scope repo
  usher login example --no-wait --json
`

// loginOptions are the arguments of login.
type loginOptions struct {
	key          string // empty: not given
	account      string
	scopes       []string
	flow         flow
	callbackPort int // 0: any
	noWait       bool
	timeout      time.Duration // 0: none
	shareWith    string
	noShare      bool
	plain        bool
	qr           qrWhen
	noBrowser    bool
	quiet        bool // ask nothing
	json         bool
	tunnel       string // the ssh command to show with a login of method code
}

func (a *app) loginCommand() *cobra.Command {
	o := loginOptions{flow: flowAuto, qr: qrAuto}
	cmd := a.command(&cobra.Command{
		Use: "login [KEY]", Short: "log in", Long: loginHelp, Args: atMostOne("KEY"),
	}, func(ctx context.Context, args []string) error {
		if len(args) == 1 {
			o.key = args[0]
		}
		return a.runLogin(ctx, o)
	})
	f := cmd.Flags()
	f.StringVar(&o.account, "account", "", "the account")
	f.StringArrayVar(&o.scopes, "scope", nil, "ask for this scope")
	f.Var(&o.flow, "flow", "auto, device or code")
	f.IntVar(&o.callbackPort, "callback-port", 0, "the port that the browser comes back to")
	f.BoolVar(&o.noWait, "no-wait", false, "print the pending login and leave it")
	f.DurationVar(&o.timeout, "timeout", 0, "stop waiting after this time")
	sharingFlags(cmd, &o.shareWith, &o.noShare)
	f.BoolVar(&o.plain, "plain", false, "plain lines of text")
	f.Var(&o.qr, "qr", "auto, always or never")
	f.BoolVar(&o.noBrowser, "no-browser", false, "open no browser")
	f.BoolVar(&o.quiet, "no-prompt", false, "ask nothing")
	f.BoolVar(&o.json, "json", false, "print JSON")
	cmd.AddCommand(a.loginListCommand(), a.loginWaitCommand(), a.loginCancelCommand(), a.loginCompleteCommand())
	return cmd
}

func (a *app) runLogin(ctx context.Context, o loginOptions) error {
	if o.timeout < 0 {
		return usagef("--timeout must not be negative")
	}
	if o.timeout > 0 && o.noWait {
		return usagef("--timeout does not go with --no-wait: there is no waiting").WithHint("bound that of: usher login wait KEY --timeout D")
	}
	if err := checkSharing(&o.shareWith, o.noShare); err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx, syscall.SIGHUP)
	defer stop()
	if o.key == "" {
		key, err := a.pickProvider(ctx, o)
		if err != nil {
			return err
		}
		o.key = key
	}
	chosen, err := a.chooseAccount(o.key, o.account)
	if err != nil {
		return err
	}
	o.key = chosen.key
	a.tellChoice(chosen)
	return a.withSession(ctx, func(ctx context.Context, s *session) error {
		err := a.logIn(ctx, s, o)
		s.abandoned = ctx.Err() != nil
		return err
	})
}

// logIn logs in, and once more as often as a person at the terminal wants to
// after a login that came to nothing.
func (a *app) logIn(ctx context.Context, s *session, o loginOptions) error {
	for {
		err := a.logInOnce(ctx, s, o)
		if !a.canStartOver(o, err) {
			return err
		}
		again, askErr := a.startOver(ctx, asError(err))
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
	back, err := a.listenForAnswer(s, o)
	if err != nil {
		return err
	}
	defer back.close()
	login, p, err := a.startLogin(ctx, s, o, back)
	if err != nil {
		return err
	}
	if o.noWait {
		return a.leaveLogin(ctx, s, login, back, o)
	}
	o.tunnel = back.tunnel()
	view := a.loginView(p, o)
	if login, err = a.await(ctx, s, login, back, view, o); err != nil {
		return err
	}
	return a.tellEnd(login, before)
}

// startLogin starts the login, or joins the one that is pending.
func (a *app) startLogin(ctx context.Context, s *session, o loginOptions, back *answerListener) (api.Login, provider.Provider, error) {
	began := time.Now()
	login, err := back.start(ctx, s, api.StartLogin{
		Key: o.key, Scopes: o.scopes, ShareWith: o.shareWith, Origin: origin(),
	})
	p, problems := a.lookProvider(s, providerOf(o.key))
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
