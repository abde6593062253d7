package cli

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/sandbox"
)

// Where nothing is drawn the address is pasted, or typed with Enter, all the same.
// A wrong one is refused and the login goes on; none is ever shown.
func TestAnswerIntoPlainLines(t *testing.T) {
	for name, tt := range map[string]struct {
		args   []string
		env    string
		answer func(address string) string
	}{
		"--plain":   {[]string{"--plain"}, "", func(address string) string { return address + "\r" }},
		"TERM=dumb": {nil, "TERM=dumb", func(address string) string { return address }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			i.sandbox(auto)
			s := i.plainly(tt.env, append([]string{"login", "here", "--flow", "code"}, tt.args...)...)
			s.awaits("paste its address here.")
			s.awaits("usher: waiting for approval, ")
			answer := redirected(t, regexp.MustCompile(`(?m)^http\S+response_type=code\S+$`).FindString(s.screen()))
			s.types("what is this\r")
			s.awaits("usher: that is not the address that the browser ended on; paste all of it")
			s.types(tt.answer(answer))
			if code, out := s.wait(); code != 0 || out != "" {
				t.Errorf("exit %d, stdout %q", code, out)
			}
			s.awaits("Logged in to here as acct-")
			s.kept(answer)
		})
	}
}

// Esc and what interrupts cancel that login too.
func TestPlainAnswerIsCancelled(t *testing.T) {
	for name, key := range map[string]string{"Esc": "\x1b", "Ctrl-C": "\x03"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			i.sandbox(sandbox.Config{})
			s := i.plainly("", "login", "here", "--flow", "code", "--plain")
			s.awaits("usher: waiting for approval, ")
			s.types(key)
			if code, _ := s.wait(); code != api.ExitInterrupted {
				t.Errorf("exit %d", code)
			}
			s.awaits(strings.TrimSpace(cancelled))
			s.kept("code=")
			if regexp.MustCompile(`\^C|\n\r\n[^\n]*cancelled`).MatchString(s.raw.String()) {
				t.Errorf("the key is shown, or an empty line for it: %q", s.raw.String())
			}
		})
	}
}

// login complete shows no address either where nothing can be erased.
func TestCompleteOnADumbTerminal(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.sandbox(auto)
	var began api.Login
	waiting := i.start("login", "here", "--flow", "code", "--json")
	waiting.line(&began)
	answer := redirected(t, began.AuthorizationURI)
	s := i.plainly("TERM=dumb", "login", "complete", "here")
	s.awaits(strings.TrimSpace(addressQuestion))
	s.types(answer + "\r")
	if code, out := s.wait(); code != 0 || out != "" {
		t.Errorf("exit %d, stdout %q", code, out)
	}
	s.awaits("Logged in to here as acct-")
	s.kept(answer)
	if code, _ := waiting.wait(); code != 0 {
		t.Errorf("who waited ends with %d", code)
	}
}

// plainly starts the program at a terminal, with one more variable.
func (i *installation) plainly(variable string, args ...string) *seat {
	i.t.Helper()
	cmd := exec.Command(self(i.t), args...)
	if variable != "" {
		cmd.Env = []string{variable}
	}
	return i.seated(1000, cmd)
}

// kept checks that the terminal got text alone, and not the code of the answer,
// and that it takes what is typed as it did before.
func (s *seat) kept(answer string) {
	s.t.Helper()
	shown := s.raw.String()
	if code := regexp.MustCompile(`[?&]code=([^&]+)`).FindStringSubmatch(answer); code != nil && strings.Contains(shown, code[1]) {
		s.t.Error("the answer is shown")
	}
	if strings.Contains(shown, "\x1b") || strings.Contains(shown, "what is this") {
		s.t.Errorf("more than lines of text, or what was typed: %q", shown)
	}
	s.wantModeOfBefore()
}
