package cli

import (
	"context"
	"log/slog"

	"github.com/usherauth/usher/internal/browser"
)

// mayOpen reports whether the link may be opened in a browser of this machine:
// there is one that the person would see, and the link is one to open.
func (a *app) mayOpen(p loginPage, o loginOptions) bool {
	if _, err := p.link(); err != nil || o.noBrowser {
		return false
	}
	ok, why := browser.ShouldOpen(a.getenv)
	a.log(silent).Debug("opening a browser here", slog.Bool("may", ok), slog.String("because", why))
	return ok
}

// opensBrowser reports whether the link is opened unasked: for a person who has
// just asked for this very login.
func (a *app) opensBrowser(p loginPage, o loginOptions) bool {
	return a.err.Terminal() && !o.quiet && !o.json && !p.login.Attached && a.mayOpen(p, o)
}

// openBrowser opens the link of p, which mayOpen allows.
func (a *app) openBrowser(ctx context.Context, p loginPage) error {
	link, err := p.link()
	if err != nil {
		return err
	}
	return browser.Open(ctx, link, a.getenv)
}
