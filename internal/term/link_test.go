package term

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// environment is one with these variables, written NAME=value.
func environment(variables string) func(string) string {
	env := map[string]string{}
	for _, v := range strings.Fields(variables) {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	return func(name string) string { return env[name] }
}

func TestLinksWhereTerminalsKnowThem(t *testing.T) {
	for env, want := range map[string]bool{
		"":                                                       false,
		"TERM=xterm-256color":                                    false,
		"TERM=xterm-kitty":                                       true,
		"TERM=xterm KITTY_WINDOW_ID=1":                           true,
		"TERM=xterm-256color WT_SESSION=x":                       true,
		"TERM=xterm-256color VTE_VERSION=7600":                   true,
		"TERM=xterm-256color VTE_VERSION=5000":                   false,
		"TERM=xterm-256color VTE_VERSION=4402":                   false,
		"TERM_PROGRAM=vscode":                                    true,
		"TERM_PROGRAM=Apple_Terminal":                            false,
		"TERM_PROGRAM=WezTerm":                                   true,
		"TERM_PROGRAM=iTerm.app":                                 false,
		"TERM_PROGRAM=iTerm.app TERM_PROGRAM_VERSION=3.0.9":      false,
		"TERM_PROGRAM=iTerm.app TERM_PROGRAM_VERSION=3.5.1":      true,
		"TMUX=x TERM_PROGRAM=tmux TERM_PROGRAM_VERSION=3.4":      true,
		"TMUX=x TERM_PROGRAM=tmux TERM_PROGRAM_VERSION=3.3a":     false,
		"TMUX=x TERM_PROGRAM=tmux TERM_PROGRAM_VERSION=next-3.5": false,
		"TMUX=x KITTY_WINDOW_ID=1":                               false,
		"STY=x VTE_VERSION=7600":                                 false,
		"TERM=screen-256color VTE_VERSION=7600":                  false,
		"TERM=dumb WT_SESSION=x":                                 false,
		"TERM=dumb FORCE_HYPERLINK=1":                            false,
		"FORCE_HYPERLINK=1":                                      true,
		"FORCE_HYPERLINK=0 WT_SESSION=x":                         false,
		"NO_COLOR=1 WT_SESSION=x":                                true,
	} {
		s := New(&terminal{columns: 80, rows: 24}, environment(env))
		if got := s.Link("https://op.example/", "here") != "here"; got != want {
			t.Errorf("%s: a link %v, want %v", env, got, want)
		}
	}
}

func TestLinkIsEncoded(t *testing.T) {
	s := New(&terminal{columns: 80, rows: 24}, environment("FORCE_HYPERLINK=1"))
	want := "\x1b]8;id=usher;https://op.example/%1B]8;%20%C3%A4?a=b%2F\x1b\\text\x1b]8;;\x1b\\"
	if diff := cmp.Diff(want, s.Link("https://op.example/\x1b]8; ä?a=b%2F", "text")); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	if got := s.Link("https://op.example/"+strings.Repeat("x", maxLink), "text"); got != "text" {
		t.Errorf("too long a link: %q", got)
	}
}

func TestCopy(t *testing.T) {
	const osc = "\x1b]52;c;aHR0cHM6Ly94Lw==\a"
	for env, want := range map[string]string{
		"TERM=xterm":                              osc,
		"TERM=xterm-256color SSH_CONNECTION=x":    osc,
		"TERM=tmux-256color TMUX=x":               osc + "\x1bPtmux;\x1b" + osc + "\x1b\\",
		"TERM=tmux-256color TMUX=x VTE_VERSION=1": osc + "\x1bPtmux;\x1b" + osc + "\x1b\\",
		"TERM=screen STY=x":                       "\x1bP" + osc + "\x1b\\",
		"":                                        "",
		"TERM=dumb":                               "",
		"TERM=linux":                              "",
		"TERM=vt100":                              "",
		"TERM=xterm VTE_VERSION=7600":             "",
		"TERM=xterm TERM_PROGRAM=Apple_Terminal":  "",
	} {
		w := &terminal{columns: 80, rows: 24}
		s := New(w, environment(env))
		if ok := s.Copy("https://x/"); ok != (want != "") || ok != s.CanCopy() || w.String() != want {
			t.Errorf("%s: copied %v by %q, want %q", env, ok, w, want)
		}
	}
	w := &terminal{columns: 80, rows: 24}
	s := New(w, environment("TERM=xterm"))
	for _, text := range []string{"a\x1bb", "a\nb", "a\u009bb", "\xff", strings.Repeat("x", maxCopy+1)} {
		if s.Copy(text) || w.Len() > 0 {
			t.Errorf("copied %.20q by %q", text, w)
		}
	}
	if New(&strings.Builder{}, environment("TERM=xterm")).Copy("x") {
		t.Error("copied on what is no terminal")
	}
}

// GNU screen passes on no more than a little at once.
func TestCopyInPieces(t *testing.T) {
	w := &terminal{columns: 80, rows: 24}
	text := strings.Repeat("0123456789", 100)
	New(w, environment("TERM=screen STY=x")).Copy(text)
	whole := ""
	for piece := range strings.SplitSeq(strings.TrimSuffix(w.String(), "\x1b\\"), "\x1b\\") {
		piece, ok := strings.CutPrefix(piece, "\x1bP")
		if !ok || len(piece) > screenChunk {
			t.Fatalf("a piece of %d bytes: %q", len(piece), piece)
		}
		whole += piece
	}
	if want := "\x1b]52;c;" + base64.StdEncoding.EncodeToString([]byte(text)) + "\a"; whole != want {
		t.Errorf("copied by %q", whole)
	}
}
