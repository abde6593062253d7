package e2e

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/usherauth/usher/e2e/terminal"
)

// TestCodeLoginPasted brings the same answer by the browser and by the clipboard
// at the same time: one of the two logs in, and the provider sees one exchange.
func TestCodeLoginPasted(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box("--without-device", "--approve", "auto")
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "native")
	cmd := h.command(binary, "login", "here")
	cmd.Env = append(cmd.Env, "TERM=xterm-256color", "NO_BROWSER=1")
	term := terminal.Start(t, cmd, terminal.Options{Columns: 80, Rows: 24})
	link := term.Await("the link", func(s *terminal.Screen) bool { return s.Link(box.issuer) != "" }).Link(box.issuer)
	answer := redirection(t, link)

	term.Paste(changed(answer.String(), "state", "of-somebody-else"))
	term.Await("that it is a wrong one", func(s *terminal.Screen) bool { return s.Contains("does not belong to this login") })
	if seen := term.Output(); strings.Contains(seen, answer.Query().Get("code")) {
		t.Error("the code was shown")
	}

	var browser sync.WaitGroup
	browser.Go(func() {
		// It may come when all is over already.
		if r, err := http.Get(answer.String()); err == nil {
			r.Body.Close()
		}
	})
	term.Paste(answer.String()) // and so may this
	browser.Wait()
	if code := term.Wait(); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, term.Screen().All())
	}
	if n, reused := box.exchanges(), box.record().CodesReused; n != 1 || reused != 0 {
		t.Errorf("the provider saw %d exchanges, %d of them of a spent code", n, reused)
	}
}

// TestCompleteAtTheTerminal pastes the address to usher login complete, which does
// not show it.
func TestCompleteAtTheTerminal(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box("--without-device", "--approve", "auto")
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "native")
	login := h.startCodeLogin("here")
	complete := func(paste string) (int, *terminal.Terminal) {
		cmd := h.command(binary, "login", "complete", "here")
		cmd.Env = append(cmd.Env, "TERM=xterm-256color")
		term := terminal.Start(t, cmd, terminal.Options{Columns: 80, Rows: 24})
		term.Await("the question", func(s *terminal.Screen) bool { return s.Contains("Paste the address") })
		before := term.Mode()
		if strings.HasPrefix(paste, "http") {
			term.Paste(paste)
		} else {
			term.Type(paste)
		}
		code := term.Wait()
		if after := term.Mode(); before == after {
			t.Error("the terminal showed what was typed, or still does not")
		}
		return code, term
	}
	if code, term := complete("\x1b"); code != 130 {
		t.Errorf("Esc: exit code %d\n%s", code, term.Screen().All())
	}
	answer := login.answer()
	if code, term := complete(changed(answer.String(), "state", "of-somebody-else")); code != 2 || !term.Screen().Contains("the answer does not belong to this login") {
		t.Errorf("a wrong state: exit code %d\n%s", code, term.Screen().All())
	}
	code, term := complete(answer.String())
	if code != 0 || !strings.HasPrefix(term.Screen().All(), "Logged in to here") {
		t.Errorf("exit code %d\n%s", code, term.Screen().All())
	}
	if strings.Contains(term.Output(), answer.Query().Get("code")) {
		t.Error("the code was shown")
	}
	login.ends()
}
