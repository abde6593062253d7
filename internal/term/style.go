package term

// The escapes of the styles that this program uses, and their end.
const (
	bold    = "\x1b[1m"
	faint   = "\x1b[2m"
	warning = "\x1b[1;33m"
	reset   = "\x1b[0m"
)

// Bold is text in bold, where that can be shown.
func (s *Screen) Bold(text string) string { return s.styled(bold, text) }

// Faint is text that steps back, where that can be shown.
func (s *Screen) Faint(text string) string { return s.styled(faint, text) }

// Warn is text that calls for attention, where that can be shown. The words
// must do so as well: colours are not seen by everybody.
func (s *Screen) Warn(text string) string { return s.styled(warning, text) }

func (s *Screen) styled(style, text string) string {
	if !s.CanLive() || !s.color {
		return text
	}
	return style + text + reset
}
