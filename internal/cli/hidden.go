package cli

import (
	"strings"
	"unicode/utf8"

	"github.com/usherauth/usher/internal/term"
)

// pose shows a question, wrapped, until the returned function is called. One that
// was shown when the process was stopped is shown again when it goes on. Where
// nothing can be erased, the question is a line that stays.
func (a *app) pose(question string) (unpose func()) {
	text := term.Wrap(question, a.err.Columns())
	if !a.err.CanLive() {
		a.say(text)
		return func() {}
	}
	block := a.err.NewBlock()
	block.Set(strings.Split(text, "\n"))
	return block.Erase
}

// readHidden asks question and reads the answer to it; see hiddenLine.
func (a *app) readHidden(keyboard *term.Keyboard, question string, pasteEnds bool) (text string, ok bool) {
	defer a.pose(question)()
	return hiddenLine(keyboard, pasteEnds)
}

// hiddenLine reads what is typed or pasted, up to Enter, without showing it; with
// pasteEnds a paste needs no Enter. ok is false when the person leaves it by Esc or
// Ctrl-D, or no keys come any more.
func hiddenLine(keyboard *term.Keyboard, pasteEnds bool) (text string, ok bool) {
	var typed []byte
	for key := range keyboard.Events() {
		switch {
		case key.Rune == term.KeyEsc, key.Rune == term.KeyEOF:
			return "", false
		case key.Rune == term.KeyEnter:
			return string(typed), true
		case key.Rune == term.KeyBackspace:
			_, n := utf8.DecodeLastRune(typed)
			typed = typed[:len(typed)-n]
		case key.Rune != 0:
			typed = utf8.AppendRune(typed, key.Rune)
		default:
			if typed = append(typed, key.Paste.Reveal()...); pasteEnds {
				return string(typed), true
			}
		}
	}
	return "", false
}
