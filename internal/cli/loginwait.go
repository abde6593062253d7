package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
)

const loginWaitHelp = `Wait for the end of a login that was started before, here or by anybody else on
this data folder. If the process that asks the provider dies, this one goes on
in its place. ID is a login's id, or the key that it is for. At a terminal, link
and code are shown again.

usage: usher login wait ID [flags]

  --timeout D   stop waiting after this time, such as 90s, with exit code 8
                (default: until the login ends by itself)
  --plain       plain lines of text, nothing drawn, moved or erased
  --qr W        auto, always or never show a QR code (default auto)
  --json        print one line of JSON each time that something happens

The exit code tells how the login ended: 0 logged in, 4 denied, 5 expired. One
that has ended already is told as well, for some minutes. Ctrl-C only leaves.

examples:
  usher login wait github --timeout 60s
  usher login wait 8c7e2f0a-5a53-4f7e-9a44-0b1d2f9a6c11 --json
`

func (a *app) loginWaitCommand() *cobra.Command {
	o := loginOptions{flow: flowAuto, qr: qrAuto, noBrowser: true}
	cmd := a.command(&cobra.Command{
		Use: "wait ID", Short: "wait for a login", Long: loginWaitHelp, Args: arguments("ID"),
	}, func(ctx context.Context, args []string) error {
		return a.runLoginWait(ctx, args[0], o)
	})
	f := cmd.Flags()
	f.DurationVar(&o.timeout, "timeout", 0, "stop waiting after this time")
	f.BoolVar(&o.plain, "plain", false, "plain lines of text")
	f.Var(&o.qr, "qr", "auto, always or never")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *app) runLoginWait(ctx context.Context, name string, o loginOptions) error {
	if o.timeout < 0 {
		return usagef("--timeout must not be negative")
	}
	return a.withSession(ctx, func(ctx context.Context, s *session) error {
		err := a.waitLogin(ctx, s, name, o)
		s.abandoned = ctx.Err() != nil
		return err
	})
}

func (a *app) waitLogin(ctx context.Context, s *session, name string, o loginOptions) error {
	l, err := a.findLogin(ctx, s, name)
	if err != nil {
		return err
	}
	o.key, l.Attached = l.Key, true // leaving does not cancel it
	before, _ := s.Credential(ctx, l.Key)
	back := a.rejoin(s, l)
	defer back.close()
	o.tunnel = back.tunnel()
	l, err = a.await(ctx, s, l, back, a.waitView(s, l, o), o)
	if e := asError(err); err != nil && e.Code == api.CodeLoginPending {
		return e.WithHint("run the same command again to go on: usher login wait %s", l.Key)
	}
	if err != nil {
		return err
	}
	return a.tellEnd(l, before)
}

// waitView shows a login that is waited for: without a terminal to a program
// alone, since whoever started it has link and code.
func (a *app) waitView(s *session, l api.Login, o loginOptions) loginView {
	if !o.json && !a.err.Terminal() {
		return noView{}
	}
	p, problems := a.lookProvider(s, l.Provider)
	a.warnAll(problems)
	return a.loginView(p, o)
}

// noView shows nothing.
type noView struct{}

func (noView) begin(api.Login)          {}
func (noView) update(api.Login)         {}
func (noView) end(api.Login)            {}
func (noView) input() <-chan loginInput { return nil }
