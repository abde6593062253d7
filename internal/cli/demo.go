package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/internal/safetext"
	"github.com/usherauth/usher/internal/term"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/secret"
)

const demoHelp = `See usher's main job from beginning to end, with nothing set up: an OAuth server
and a daemon are started as programs of their own, in a data folder that is
thrown away, and a remote client logs in, reads a token, has it refreshed and
logs out. Every step is checked against what the server saw.

usage: usher demo [flags]

  --auto          approve by itself; also the case without a terminal
  --qr W          auto, always or never show a QR code
  --faults FILE   JSON: what the server does wrong (see usher sandbox)

example:
  usher demo
`

// demoOptions are the arguments of demo.
type demoOptions struct {
	auto   bool
	qr     qrWhen
	faults string
}

func (a *app) demoCommand() *cobra.Command {
	o := demoOptions{qr: qrAuto}
	cmd := a.command(&cobra.Command{
		Use: "demo", Short: "see all of it work", Long: demoHelp, Args: arguments(),
	}, func(ctx context.Context, _ []string) error { return a.runDemo(ctx, o) })
	f := cmd.Flags()
	f.BoolVar(&o.auto, "auto", false, "approve by itself")
	f.Var(&o.qr, "qr", "auto, always or never")
	f.StringVar(&o.faults, "faults", "", "what the server does wrong")
	return cmd
}

const (
	// demoKey is the preset of the sandbox; its address is overridden.
	demoKey = "sandbox"
	// demoLifetime is long enough to use a token and short enough to wait for
	// its end.
	demoLifetime = 4 * time.Second
	// demoReaders ask for a token at the same moment.
	demoReaders = 5
)

// demo is a demonstration on its way.
type demo struct {
	app  *app
	opts demoOptions

	home            string // thrown away
	sandbox, daemon *demoChild
	authority       authority
	client          *usher.Client
	events          *eventLog
	login           *usher.Login
	view            loginView
	first           usher.Token
	refreshes       int
}

// A demoStep is one numbered step. Its error ends the demo.
type demoStep struct {
	title string
	run   func(ctx context.Context) error
}

func (a *app) runDemo(ctx context.Context, o demoOptions) (err error) {
	if !a.err.Terminal() {
		o.auto = true
	}
	if o.faults != "" {
		if _, err := readFaults(o.faults); err != nil {
			return err
		}
	}
	ctx, stop := untilOrphaned(ctx)
	defer stop()
	d := &demo{app: a, opts: o}
	defer func() { err = errors.Join(err, d.cleanUp()) }()
	steps := []demoStep{
		{"start an OAuth server", d.startSandbox},
		{"start a daemon", d.startDaemon},
		{"start a login", d.startLogin},
		{"wait for the approval", d.waitForApproval},
		{"use the token", d.useToken},
		{"let the token expire and read it again", d.refresh},
		{"log out", d.logout},
	}
	began := time.Now()
	for i, step := range steps {
		a.sayf("%s", a.err.Bold(fmt.Sprintf("%d. %s", i+1, step.title)))
		if err := step.run(ctx); err != nil {
			return d.failed(ctx, i+1, step.title, err)
		}
		a.sayf("")
	}
	a.sayf("All %d steps passed, in %s.", len(steps), time.Since(began).Round(100*time.Millisecond))
	return d.summary()
}

// failed is the error for a step that did not go as it should.
func (d *demo) failed(ctx context.Context, n int, title string, err error) error {
	if ctx.Err() != nil {
		return api.Errorf(api.CodeInterrupted, "interrupted at step %d (%s)", n, title)
	}
	e := asError(err)
	out := api.Errorf(e.Code, "step %d (%s) failed: %w", n, title, err)
	out.Hint = e.Hint
	if e.Code == api.CodeInternal {
		_ = out.WithHint("this should not happen; please report it with the output of usher demo --debug")
	}
	return out
}

// notef tells what a step did.
func (d *demo) notef(format string, args ...any) { d.app.sayf("   "+format, args...) }

func (d *demo) startSandbox(ctx context.Context) error {
	var err error
	if d.home, err = os.MkdirTemp("", "usher-demo-"); err != nil {
		return err
	}
	args := []string{"sandbox", "--listen", "127.0.0.1:0", "--interval", "1", "--token-lifetime", demoLifetime.String()}
	if d.opts.auto {
		args = append(args, "--approve", "auto")
	}
	if d.opts.faults != "" {
		args = append(args, "--faults", d.opts.faults)
	}
	var first struct{ Issuer string }
	if d.sandbox, err = d.startChild(ctx, &first, args...); err != nil {
		return err
	}
	d.authority = authority{first.Issuer}
	d.notef("It is where logins happen, as GitHub would be: %s", first.Issuer)
	return nil
}

func (d *demo) startDaemon(ctx context.Context) error {
	dirs, err := config.FindDirs(d.childEnv)
	if err != nil {
		return err
	}
	spec := provider.Spec{Name: demoKey, Settings: provider.Settings{Issuer: d.authority.issuer}}
	if _, err := catalogue(dirs).Add(spec); err != nil {
		return err
	}
	var first daemonFile
	// On demand, so that it is the readers who set off the refresh.
	if d.daemon, err = d.startChild(ctx, &first, "serve", "--listen", "127.0.0.1:0", "--json", "--on-demand"); err != nil {
		return err
	}
	// What a client on another machine would be given by the owner.
	token, err := readHomeSecret(filepath.Join(dirs.Home, serverTokenFile))
	if err != nil {
		return err
	}
	d.connect(first.Listen, token)
	if err := d.events.ready(ctx); err != nil {
		return err
	}
	d.notef("It keeps the tokens, in a folder that is thrown away: %s", first.Listen)
	d.notef("From here on this is a client of it: all it has is that address and a token.")
	return nil
}

func (d *demo) connect(url string, token secret.String) {
	d.client = &usher.Client{BaseURL: url, Bearer: token}
	d.events = follow(d.client)
}

func (d *demo) startLogin(ctx context.Context) error {
	var err error
	if d.login, err = d.client.Login(ctx, demoKey, usher.LoginOptions{Origin: origin()}); err != nil {
		return err
	}
	l, err := d.client.GetLogin(ctx, d.login.ID)
	if err != nil {
		return err
	}
	dirs, err := config.FindDirs(d.childEnv)
	if err != nil {
		return err
	}
	p, err := catalogue(dirs).Lookup(demoKey)
	if err != nil {
		return err
	}
	p.Note = "" // it tells how to start a sandbox, and this one runs
	// What the demo tells stays, and so does the login within it.
	d.view = &linesView{app: d.app, o: loginOptions{qr: d.opts.qr, noBrowser: true}, page: loginPage{provider: p}}
	d.view.begin(l)
	return nil
}

func (d *demo) waitForApproval(ctx context.Context) error {
	if d.opts.auto {
		d.notef("The server approves by itself this time, at the third poll.")
	} else {
		// A QR code may have moved it out of sight.
		d.notef("Approve in a browser on this machine (a phone cannot reach 127.0.0.1):")
		d.notef("%s", safetext.Line(d.login.VerificationURIComplete, 0))
		d.notef("No browser here? Press Ctrl-C and run: usher demo --auto")
	}
	l, err := d.client.GetLogin(ctx, d.login.ID)
	if err != nil {
		return err
	}
	stop := showFollowing(ctx, d.client, l, d.view)
	cred, err := d.login.Wait(ctx)
	stop()
	d.view.end(l)
	if err != nil {
		return err
	}
	if err := d.events.saw(ctx, api.EventLoginStarted, api.EventLoginAuthorized, api.EventCredentialStored); err != nil {
		return err
	}
	d.notef("Approved. The daemon told its clients:")
	d.notef("%s", d.events)
	if cred, err = d.client.Credential(ctx, demoKey); err != nil {
		return err
	}
	if cred.State != api.StateActive {
		return fmt.Errorf("the credential is %s", cred.State)
	}
	for _, line := range statusLines([]api.Credential{cred}, nil, time.Now(), d.app.err.Columns()) {
		d.notef("%s", line)
	}
	return nil
}

// summary tells what happened where.
func (d *demo) summary() error {
	t := term.Table{
		Header: []string{"WHERE", "WHAT HAPPENED"}, Prose: true,
		Rows: [][]string{
			{"client", fmt.Sprintf("showed a link; read %d tokens; held no refresh token, ever", 1+demoReaders)},
			{"daemon", "polled, stored the credential, refreshed it once, revoked and removed it"},
			{"server", fmt.Sprintf("approved 1 login, granted %d refresh for %d readers, revoked the tokens", d.refreshes, demoReaders)},
		},
	}
	d.app.sayf("")
	return d.app.printLines(t.Lines(d.app.out.Columns()))
}
