package term

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxCopy bounds what is copied, in bytes.
	maxCopy = 64 << 10
	// screenChunk is how much GNU screen passes on at once, in bytes.
	screenChunk = 240
)

// CanCopy reports whether [Screen.Copy] may reach the clipboard. Whether the
// terminal allows that, nobody can know.
func (s *Screen) CanCopy() bool {
	if !s.CanLive() {
		return false
	}
	kind := s.getenv("TERM")
	switch {
	case kind == "" || kind == "linux" || strings.HasPrefix(kind, "vt"):
		return false
	case s.getenv("TMUX") != "" || s.getenv("STY") != "":
		return true // their own surroundings tell nothing of where they are shown
	}
	return s.getenv("VTE_VERSION") == "" && s.getenv("TERM_PROGRAM") != "Apple_Terminal"
}

// Copy asks the terminal to put text into the clipboard of the machine that it
// is shown on (OSC 52). It reports whether it asked: text is valid UTF-8 without
// control characters and at most 64 KiB, and [Screen.CanCopy].
func (s *Screen) Copy(text string) bool {
	if !s.CanCopy() || len(text) > maxCopy || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return false
	}
	s.control(s.copyEscape(text))
	return true
}

// copyEscape is the command, in the wrapping of the multiplexer around us.
func (s *Screen) copyEscape(text string) string {
	command := "\x1b]52;c;" + base64.StdEncoding.EncodeToString([]byte(text)) + "\a"
	switch {
	case s.getenv("TMUX") != "":
		// By itself if it may (set-clipboard), else past it (allow-passthrough).
		return command + "\x1bPtmux;" + strings.ReplaceAll(command, "\x1b", "\x1b\x1b") + "\x1b\\"
	case s.getenv("STY") != "":
		var b strings.Builder
		for rest := command; rest != ""; {
			n := min(len(rest), screenChunk)
			b.WriteString("\x1bP" + rest[:n] + "\x1b\\")
			rest = rest[n:]
		}
		return b.String()
	}
	return command
}
