// Package safetext makes text that came from somewhere else fit to be shown: one line, no control of the
// terminal, nothing invisible. It is the only way foreign text (error descriptions, provider names, links,
// user codes) reaches a terminal, a log or an event. Use Line first; UserCode and URL are for the two
// strings a person has to act on.
package safetext

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// DefaultLine is the number of runes Line shows when it is not told another one.
const DefaultLine = 512

// maxMarks bounds the combining marks that may follow one another. Real writing systems use up to three or
// four; a flood of them draws over the neighbouring lines of a terminal.
const maxMarks = 4

// Line returns s as one printable line of at most maxRunes runes (DefaultLine when maxRunes is not positive),
// ending in "…" if something was cut off. Whatever is not plainly visible is written as \u{hex}: control
// characters with ESC and line breaks among them, bidirectional controls, zero-width and other ignorable
// characters, tags, private and unassigned code points, and invalid UTF-8 (as \u{fffd}). Combining marks
// beyond four in a row are written out as well. The answer is valid UTF-8 and Line(Line(s)) is Line(s).
func Line(s string, maxRunes int) string {
	if maxRunes <= 0 {
		maxRunes = DefaultLine
	}
	var out []rune
	marks := 0
	for _, r := range s {
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		piece := []rune{r}
		if !visible(r) || marks > maxMarks {
			piece = []rune(fmt.Sprintf(`\u{%x}`, r))
		}
		// An escape is shown whole or not at all.
		if len(out)+len(piece) > maxRunes {
			return cut(out, maxRunes)
		}
		out = append(out, piece...)
	}
	return string(out)
}

// cut ends out with the sign that something is missing, within maxRunes.
func cut(out []rune, maxRunes int) string {
	if len(out) >= maxRunes {
		out = out[:maxRunes-1]
	}
	return string(out) + "…"
}

// visible reports whether r may stand in a line as it is. unicode.IsPrint leaves out every control, format
// (bidirectional, zero-width, tags), private and unassigned code point and each space but U+0020; the two
// properties name the letters and marks that print as nothing all the same.
func visible(r rune) bool {
	return r != utf8.RuneError && unicode.IsPrint(r) &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) &&
		r != '\u2800' // braille blank: a symbol by category, a space by look
}

// UserCode returns the user code of a device authorization (RFC 8628 section 3.2) as it may be shown, and
// whether it is plain. A plain code is 4 to 32 letters, digits and hyphens of ASCII and is shown as it is;
// any other is shown as a quoted Line of at most 64 runes, which tells a person that it is unusual. What UserCode
// has shown it shows again as it is: a code passes it where it comes in, and where a person sees it.
func UserCode(s string) (shown string, plain bool) {
	if len(s) >= 4 && len(s) <= 32 && !strings.ContainsFunc(s, notUserCode) {
		return s, true
	}
	if inner, ok := strings.CutPrefix(s, `"`); ok && strings.HasSuffix(inner, `"`) {
		s = inner[:len(inner)-1]
	}
	return `"` + Line(s, 64) + `"`, false
}

const userCodeAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"

func notUserCode(r rune) bool { return !strings.ContainsRune(userCodeAlphabet, r) }
