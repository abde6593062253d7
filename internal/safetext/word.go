package safetext

import "strings"

// Word reports whether s is made of ASCII letters, digits and the characters
// of extra alone, and is least to most bytes long. It is what identifiers from
// outside must pass, without the start-up cost of a regular expression.
func Word(s, extra string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !alphanumeric(c) && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
