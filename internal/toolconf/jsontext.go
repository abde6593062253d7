package toolconf

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// jsonValue is a value in a JSON text, with its place.
type jsonValue struct {
	start, end int
	object     bool
	members    []jsonMember
}

// jsonMember is a member of an object; comma is the place of the comma behind
// it, -1 if there is none.
type jsonMember struct {
	name       string
	start, end int // from the name to the end of the value
	value      jsonValue
	comma      int
}

// maxDepth bounds how deep values may be nested.
const maxDepth = 200

// jsonReader reads JSON (RFC 8259), with comments if it is told to. It cares
// for the places of things; what a string or number says matters in names only.
type jsonReader struct {
	text     string
	at       int
	comments bool
	depth    int
}

// readJSON reads a text that has one value. One without any has no value: ok is
// false.
func readJSON(text string, comments bool) (v jsonValue, ok bool, err error) {
	r := &jsonReader{text: text, comments: comments}
	if strings.HasPrefix(text, bom) {
		r.at = len(bom)
	}
	if err := r.blanks(); err != nil {
		return v, false, err
	}
	if r.at == len(text) {
		return v, false, nil
	}
	if v, err = r.value(); err != nil {
		return v, false, err
	}
	if err := r.blanks(); err != nil {
		return v, false, err
	}
	if r.at < len(text) {
		return v, false, r.problem("something follows the end of the JSON")
	}
	return v, true, nil
}

func (r *jsonReader) problem(what string) error {
	return &Error{Line: lineAt(r.text, r.at), Problem: what}
}

func (r *jsonReader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

// blanks skips white space and comments.
func (r *jsonReader) blanks() error {
	for r.at < len(r.text) {
		rest := r.text[r.at:]
		switch {
		case strings.IndexByte(jsonBlanks, rest[0]) >= 0:
			r.at++
		case r.comments && strings.HasPrefix(rest, "//"):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			r.at += end
		case r.comments && strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return r.problem("a comment does not end")
			}
			r.at += end + 4
		default:
			return nil
		}
	}
	return nil
}

func (r *jsonReader) value() (v jsonValue, err error) {
	if r.depth++; r.depth > maxDepth {
		return v, r.problem("it is nested too deep")
	}
	defer func() { r.depth-- }()
	v.start = r.at
	switch c := r.peek(); c {
	case '{':
		v.object = true
		v.members, err = r.object()
	case '[':
		err = r.array()
	case '"':
		_, err = r.str()
	default:
		err = r.scalar()
	}
	v.end = r.at
	return v, err
}

// scalar reads a number or one of the three words.
func (r *jsonReader) scalar() error {
	end := r.at
	for end < len(r.text) && strings.IndexByte("+-.0123456789abcdefghijklmnopqrstuvwxyzE", r.text[end]) >= 0 {
		end++
	}
	if !json.Valid([]byte(r.text[r.at:end])) {
		return r.problem("a value is missing, or is no JSON")
	}
	r.at = end
	return nil
}

func (r *jsonReader) str() (string, error) {
	start := r.at
	for r.at++; r.at < len(r.text) && r.text[r.at] != '"'; r.at++ {
		if r.text[r.at] == '\\' {
			r.at++
		}
	}
	if r.at >= len(r.text) {
		r.at = start
		return "", r.problem("a string does not end")
	}
	r.at++
	var s string
	if quoted := r.text[start:r.at]; !utf8.ValidString(quoted) || json.Unmarshal([]byte(quoted), &s) != nil {
		r.at = start
		return "", r.problem("a string is no JSON")
	}
	return s, nil
}

func (r *jsonReader) array() error {
	r.at++
	if err := r.blanks(); err != nil {
		return err
	}
	if r.peek() == ']' {
		r.at++
		return nil
	}
	for {
		if _, err := r.value(); err != nil {
			return err
		}
		if comma, err := r.more(']'); comma < 0 || err != nil {
			return err
		}
	}
}

func (r *jsonReader) object() (members []jsonMember, err error) {
	r.at++
	if err := r.blanks(); err != nil {
		return nil, err
	}
	if r.peek() == '}' {
		r.at++
		return nil, nil
	}
	for {
		m := jsonMember{start: r.at}
		if r.peek() != '"' {
			return nil, r.problem("a name in quotes is missing")
		}
		if m.name, err = r.str(); err != nil {
			return nil, err
		}
		if err := r.blanks(); err != nil {
			return nil, err
		}
		if r.peek() != ':' {
			return nil, r.problem(fmt.Sprintf("there is no colon after %q", m.name))
		}
		r.at++
		if err := r.blanks(); err != nil {
			return nil, err
		}
		if m.value, err = r.value(); err != nil {
			return nil, err
		}
		m.end = m.value.end
		if m.comma, err = r.more('}'); err != nil {
			return nil, err
		}
		if members = append(members, m); m.comma < 0 {
			return members, nil
		}
	}
}

// more reads what follows an element: the comma, whose place it returns, behind
// which there is another one; or the end, for which it returns -1.
func (r *jsonReader) more(end byte) (comma int, err error) {
	if err := r.blanks(); err != nil {
		return -1, err
	}
	switch r.peek() {
	case end:
		r.at++
		return -1, nil
	case ',':
		comma = r.at
		r.at++
		if err := r.blanks(); err != nil {
			return -1, err
		}
		if r.peek() == end {
			r.at = comma
			return -1, r.problem(fmt.Sprintf("a comma stands before %c, which JSON does not allow", end))
		}
		return comma, nil
	}
	return -1, r.problem(fmt.Sprintf("neither a comma nor %c is here", end))
}

// member returns the member of that name, the last one as programs take it, or
// nil; twice reports whether there are several.
func (v jsonValue) member(name string) (m *jsonMember, twice bool) {
	for i := range v.members {
		if v.members[i].name == name {
			twice = m != nil
			m = &v.members[i]
		}
	}
	return m, twice
}
