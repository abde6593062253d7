package term

import (
	"fmt"
	"strconv"
	"strings"
)

// maxLink bounds the address of a link: some terminals ignore longer ones.
const maxLink = 2000

// Link is text as a link to url, where the terminal knows links; elsewhere it is
// the text alone. url has been through safetext.URL.
func (s *Screen) Link(url, text string) string {
	if !s.CanLive() || len(url) > maxLink || !knowsLinks(s.getenv) {
		return text
	}
	// One id makes one link of the rows that a long text is wrapped into.
	return "\x1b]8;id=usher;" + encoded(url) + "\x1b\\" + text + "\x1b]8;;\x1b\\"
}

// encoded is url with everything but printable ASCII percent-encoded.
func encoded(url string) string {
	var b strings.Builder
	for i := range len(url) {
		if c := url[i]; c > ' ' && c < 0x7f {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// knowsLinks reports whether the terminal shows links (OSC 8), as far as it says
// which one it is; others may show them as text. FORCE_HYPERLINK decides, if it
// is set.
func knowsLinks(getenv func(string) string) bool {
	if force := getenv("FORCE_HYPERLINK"); force != "" {
		return force != "0"
	}
	name, version := getenv("TERM_PROGRAM"), getenv("TERM_PROGRAM_VERSION")
	kind := getenv("TERM")
	switch {
	case getenv("TMUX") != "" || name == "tmux":
		return name == "tmux" && atLeast(version, 3, 4)
	case getenv("STY") != "" || strings.HasPrefix(kind, "screen") || strings.HasPrefix(kind, "tmux"):
		return false // GNU screen, or a tmux of unknown age on another machine
	case getenv("WT_SESSION") != "", getenv("KITTY_WINDOW_ID") != "", getenv("DOMTERM") != "":
		return true
	}
	if vte, err := strconv.Atoi(getenv("VTE_VERSION")); err == nil {
		return vte > 5000 // 0.50.0 crashed
	}
	switch name {
	case "WezTerm", "vscode", "ghostty", "Hyper", "rio", "Tabby", "mintty":
		return true
	case "iTerm.app":
		return atLeast(version, 3, 1)
	}
	switch kind {
	case "xterm-kitty", "xterm-ghostty", "alacritty", "alacritty-direct", "foot", "foot-extra", "wezterm", "contour", "rio":
		return true
	}
	return false
}

// atLeast compares a version, such as 3.4a, with the two numbers.
func atLeast(version string, major, minor int) bool {
	var a, b int
	n, _ := fmt.Sscanf(version, "%d.%d", &a, &b)
	return n >= 1 && (a > major || a == major && b >= minor)
}
