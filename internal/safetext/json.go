package safetext

import (
	"bytes"
	"fmt"
	"unicode/utf16"
)

// JSON returns line, one line of JSON, with everything that Line would write out as \u{hex} in JSON's own escapes:
// what a terminal that shows the line would obey or hide. It means the same to whoever parses it. Encoders escape
// the control characters of ASCII alone.
func JSON(line []byte) []byte {
	if !bytes.ContainsFunc(line, hidden) {
		return line
	}
	var out []byte
	for _, r := range string(line) {
		if !hidden(r) {
			out = append(out, string(r)...)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	return out
}

func hidden(r rune) bool { return !visible(r) }
