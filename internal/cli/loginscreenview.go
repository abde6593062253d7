package cli

import (
	"context"
	"sync"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
	"github.com/usherauth/usher/secret"
)

// A screenView shows a login to a person at a terminal that can be drawn on: a
// page that is drawn again as the login goes on, and erased at its end.
type screenView struct {
	app      *app
	o        loginOptions
	block    *term.Block
	keyboard *term.Keyboard // nil: single keys cannot be read
	shade    term.Shade
	inputs   chan loginInput
	stop     context.CancelFunc
	working  sync.WaitGroup

	mu          sync.Mutex
	page        loginPage
	noticeUntil time.Time
}

// How long a notice stands in the live line.
const (
	briefly = 3 * time.Second
	aWhile  = 20 * time.Second
)

func (v *screenView) begin(l api.Login) {
	v.stop = func() {}
	if l.Ended() {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	v.stop = cancel
	v.block = v.app.err.NewBlock()
	v.inputs = make(chan loginInput, 1)
	if v.app.canAsk() && !v.o.quiet {
		v.keyboard, _ = v.app.err.Keys(ctx, v.app.in) // without, there is Ctrl-C
	}
	if v.app.getenv("NO_COLOR") != "" && v.o.qr != qrNever { // a QR code has its own colours else
		v.shade = v.app.err.Background(ctx, v.keyboard)
	}
	v.page.login = l
	v.page.pasting = v.keyboard != nil
	v.page.keys = v.usableKeys()
	resized := v.app.err.Resized(ctx)
	v.draw()
	page := v.page
	v.working.Go(func() { v.follow(ctx, resized) })
	if v.app.opensBrowser(page, v.o) {
		v.open(ctx, page)
	}
}

func (v *screenView) update(l api.Login) {
	v.mu.Lock()
	v.page.follow(l, time.Now())
	v.mu.Unlock()
	v.draw()
}

func (v *screenView) end(api.Login) {
	v.stop()
	v.working.Wait()
	if v.keyboard != nil {
		v.keyboard.Close()
	}
	v.app.err.Erase()
}

func (v *screenView) input() <-chan loginInput { return v.inputs }

// follow does what the person does at the terminal, until ctx ends.
func (v *screenView) follow(ctx context.Context, resized <-chan struct{}) {
	var keys <-chan term.Key
	var continued <-chan struct{}
	if v.keyboard != nil {
		keys, continued = v.keyboard.Events(), v.keyboard.Continued()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-resized:
			v.draw()
		case <-continued:
			v.draw() // time has passed
		case key, ok := <-keys:
			if !ok {
				keys = nil // the terminal is gone
				continue
			}
			v.press(ctx, key)
		}
	}
}

// draw shows the page as it is now.
func (v *screenView) draw() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.page.now = time.Now()
	if !v.page.now.Before(v.noticeUntil) {
		v.page.notice = ""
	}
	v.block.Set(v.page.lay(v.app.canvas(v.page, v.o.qr, v.shade)))
}

// canvas is what the page can be laid out for now. A QR code is of little use by
// method code: another device that scans it cannot be sent back here.
func (a *app) canvas(p loginPage, qr qrWhen, shade term.Shade) canvas {
	c := canvas{columns: a.err.Columns(), rows: a.err.Rows(), screen: a.err, big: a.err.Big(p.code())}
	link, err := p.link()
	if err != nil || qr == qrNever || qr == qrAuto && p.byCode() {
		return c
	}
	c.qr, err = a.err.QRCode(link, term.QROptions{Always: true, Shade: shade})
	if c.qrAlways = qr == qrAlways; c.qrAlways && err != nil {
		c.noQR = "There is no QR code: " + err.Error() + "."
	}
	return c
}

// tell shows what came of something that the person did.
func (v *screenView) tell(notice string, stays time.Duration) {
	v.mu.Lock()
	v.page.notice, v.noticeUntil = notice, time.Now().Add(stays)
	v.mu.Unlock()
	v.draw()
}

// usableKeys are the keys that do something here, for people.
func (v *screenView) usableKeys() []string {
	if v.keyboard == nil {
		return nil
	}
	var keys []string
	if v.app.mayOpen(v.page, v.o) {
		keys = append(keys, "o open")
	}
	if _, err := v.page.link(); err == nil && v.app.err.CanCopy() {
		keys = append(keys, "c copy link")
	}
	if v.page.login.Attached {
		return append(keys, "Esc leave")
	}
	return append(keys, "Esc cancel")
}

// press does what a key asks for.
func (v *screenView) press(ctx context.Context, key term.Key) {
	page := v.shown()
	switch {
	case key.Rune == term.KeyEsc:
		if page.login.Attached {
			v.tell("leaving", aWhile)
		} else {
			v.tell("cancelling", aWhile)
		}
		v.send(ctx, loginInput{cancel: true})
	case key.Rune == 'c' || key.Rune == 'C':
		if link, err := page.link(); err == nil && v.app.err.Copy(link) {
			v.tell("link copied", briefly)
		}
	case key.Rune == 'o' || key.Rune == 'O':
		if v.app.mayOpen(page, v.o) {
			v.open(ctx, page)
		}
	case key.Rune == 0 && page.byCode():
		v.answer(ctx, key.Paste)
	}
}

// shown is the page as it was shown last.
func (v *screenView) shown() loginPage {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.page
}

// open opens the link of page in a browser of this machine.
func (v *screenView) open(ctx context.Context, page loginPage) {
	v.working.Go(func() {
		if err := v.app.openBrowser(ctx, page); err != nil {
			if ctx.Err() == nil {
				v.tell(show(err.Error()), aWhile)
			}
			return
		}
		v.mu.Lock()
		v.page.opened = true
		v.mu.Unlock()
		v.tell("sent to the browser", briefly)
	})
}

// answer hands over the address that the person has pasted.
func (v *screenView) answer(ctx context.Context, address secret.String) {
	v.tell("checking the address", aWhile)
	v.send(ctx, loginInput{answer: address, refused: func(err error) {
		v.tell(answerTrouble(err), aWhile)
	}})
}

// answerTrouble says in plain words why an address that was pasted did not do.
func answerTrouble(err error) string {
	e := asError(err)
	if e.Code == api.CodeInvalidRequest {
		return "that is not the address that the browser ended on; paste all of it"
	}
	return show(e.Message)
}

func (v *screenView) send(ctx context.Context, in loginInput) {
	select {
	case v.inputs <- in:
	case <-ctx.Done():
	}
}
