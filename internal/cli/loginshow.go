package cli

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/secret"
)

// loginView is the view for whoever asked: a program that reads lines of JSON,
// a person at a terminal that can be drawn on, or whoever reads plain lines, such
// as a screen reader or a log.
func (a *app) loginView(p provider.Provider, o loginOptions) loginView {
	page := loginPage{provider: p, tunnel: o.tunnel}
	if o.plain || o.json || a.getenv("CI") == "true" {
		a.err.Plain()
	}
	switch {
	case o.json:
		return views{&jsonView{app: a}, &linesView{app: a, o: o, page: page}}
	case a.err.CanLive():
		return &screenView{app: a, o: o, page: page}
	}
	return &linesView{app: a, o: o, page: page}
}

// linesView shows a login as lines of text, one more each time that something
// changes.
type linesView struct {
	app     *app
	o       loginOptions
	page    loginPage
	inputs  chan loginInput // nil: nobody is asked
	working sync.WaitGroup
	stop    context.CancelFunc
}

func (v *linesView) begin(l api.Login) {
	v.stop = func() {}
	if l.Ended() {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	v.stop = cancel
	v.page.login, v.page.now = l, time.Now()
	v.takeAnswers(ctx)
	v.app.say(v.text())
	v.app.sayf("\nusher: %s", v.page.waiting())
	if v.app.opensBrowser(v.page, v.o) {
		v.open(ctx)
	}
}

// takeAnswers hands over the addresses that a person pastes, in a login that needs
// one. They are not shown.
func (v *linesView) takeAnswers(ctx context.Context) {
	if !v.page.byCode() || v.o.json || v.o.quiet || !v.app.canAsk() {
		return
	}
	keyboard, err := v.app.err.Keys(ctx, v.app.in)
	if err != nil {
		return // there is usher login complete
	}
	v.page.pasting = true
	v.inputs = make(chan loginInput)
	v.working.Go(func() {
		defer keyboard.Close()
		for ctx.Err() == nil {
			address, ok := hiddenLine(keyboard, true)
			in := loginInput{cancel: !ok, answer: secret.New(address), refused: func(err error) {
				v.app.sayf("usher: %s", answerTrouble(err))
			}}
			if ok && strings.TrimSpace(address) == "" {
				continue
			}
			select {
			case v.inputs <- in:
			case <-ctx.Done():
			}
		}
	})
}

// text is the page in lines that stay.
func (v *linesView) text() string {
	s := sheet{columns: v.app.err.Columns(), airy: true}
	c := v.app.canvas(v.page, v.o.qr, term.Unknown)
	// The code, an empty line and the live line are to be seen together with it.
	qr := c.qr != nil && (c.qrAlways || len(c.qr)+4 <= c.rows)
	v.page.arrange(&s, arrangement{qr: qr, airy: true, detail: whole}, c)
	return strings.Join(s.lines, "\n")
}

// open opens the link in a browser of this machine, and says so.
func (v *linesView) open(ctx context.Context) {
	page := v.page
	v.working.Go(func() {
		err := v.app.openBrowser(ctx, page)
		switch {
		case ctx.Err() != nil: // nobody wants to know any more
		case err != nil:
			v.app.sayf("usher: %s", show(err.Error()))
		default:
			v.app.sayf("usher: the link is open in a browser on this machine")
		}
	})
}

func (v *linesView) update(l api.Login) {
	was := v.page
	v.page.follow(l, time.Now())
	for _, news := range v.page.news(was) {
		v.app.sayf("usher: %s", news)
	}
}

func (v *linesView) end(api.Login) {
	v.stop()
	v.working.Wait()
}

func (v *linesView) input() <-chan loginInput { return v.inputs }

// views shows a login in several ways at once.
type views []loginView

func (vs views) begin(l api.Login) {
	for _, v := range vs {
		v.begin(l)
	}
}

func (vs views) update(l api.Login) {
	for _, v := range vs {
		v.update(l)
	}
}

func (vs views) end(l api.Login) {
	for _, v := range vs {
		v.end(l)
	}
}

// input is that of nobody: a program waits.
func (vs views) input() <-chan loginInput { return nil }
