package toolconf

import (
	"fmt"
	"strings"
)

// gitLine is a variable in a configuration of git.
type gitLine struct {
	section    string // "credential" or "credential.SUBSECTION", the latter as written
	key        string // in lower case
	value      string // with quotes and escapes resolved
	start, end int    // of its lines in the text, the last line break included
	header     int    // where its section's header is in gitFile.headers
}

// gitHeader is the header of a section.
type gitHeader struct {
	section    string
	start, end int // of its line, the line break included
	alone      bool
}

type gitFile struct {
	headers  []gitHeader
	lines    []gitLine
	comments []int // where comments begin
}

// gitReader reads a configuration of git as git-config(1) defines it.
type gitReader struct {
	text string
	at   int
	file gitFile
}

func readGit(text string) (gitFile, error) {
	r := &gitReader{text: text}
	if strings.HasPrefix(text, bom) {
		r.at = len(bom)
	}
	for r.at < len(r.text) {
		if err := r.line(); err != nil {
			return gitFile{}, err
		}
	}
	return r.file, nil
}

func (r *gitReader) problem(what string) error {
	return &Error{Line: lineAt(r.text, min(r.at, len(r.text))), Problem: what}
}

// peek is the next character; 0 at the end. The line break of Windows is one.
func (r *gitReader) peek() byte {
	switch {
	case r.at >= len(r.text):
		return 0
	case strings.HasPrefix(r.text[r.at:], "\r\n"):
		return '\n'
	}
	return r.text[r.at]
}

func (r *gitReader) next() {
	if strings.HasPrefix(r.text[r.at:], "\r\n") {
		r.at++
	}
	r.at++
}

func (r *gitReader) blanks() {
	for r.peek() == ' ' || r.peek() == '\t' || r.peek() == '\r' {
		r.next()
	}
}

// line reads what begins here: nothing, a comment, a header, a variable.
func (r *gitReader) line() error {
	start := r.at
	r.blanks()
	switch c := r.peek(); {
	case c == 0 && r.at < len(r.text):
		return r.problem("there is a NUL")
	case c == 0:
		return nil
	case c == '\n':
		r.next()
		return nil
	case c == '#' || c == ';':
		r.comment()
		return nil
	case c == '[':
		return r.header(start)
	case isLetter(c):
		return r.variable(start)
	}
	return r.problem("neither a section nor a variable begins here")
}

func (r *gitReader) comment() {
	r.file.comments = append(r.file.comments, r.at)
	for r.at < len(r.text) && r.peek() != '\n' {
		r.next()
	}
}

func (r *gitReader) header(start int) error {
	r.next()
	from := r.at
	for isLetter(r.peek()) || isDigit(r.peek()) || r.peek() == '-' || r.peek() == '.' {
		r.next()
	}
	name := strings.ToLower(r.text[from:r.at])
	if name == "" {
		return r.problem("the section has no name")
	}
	if c := r.peek(); c == ' ' || c == '\t' {
		r.blanks()
		sub, err := r.subsection()
		if err != nil {
			return err
		}
		name += "." + sub
	}
	if r.peek() != ']' {
		return r.problem("the header of the section does not end")
	}
	r.next()
	h := gitHeader{section: name, start: start}
	r.blanks()
	if h.alone = r.peek() == '\n' || r.at >= len(r.text); h.alone && r.at < len(r.text) {
		r.next()
	}
	h.end = r.at
	r.file.headers = append(r.file.headers, h)
	return nil
}

// subsection reads the quoted part of a header.
func (r *gitReader) subsection() (string, error) {
	if r.peek() != '"' {
		return "", r.problem("the name of the subsection is not in quotes")
	}
	r.next()
	var b strings.Builder
	for r.peek() != '"' {
		if r.peek() == '\\' {
			r.next()
		}
		if c := r.peek(); c == 0 || c == '\n' {
			return "", r.problem("the name of the subsection does not end")
		}
		b.WriteByte(r.text[r.at])
		r.next()
	}
	r.next()
	return b.String(), nil
}

func (r *gitReader) variable(start int) error {
	if len(r.file.headers) == 0 {
		return r.problem("a variable without a section")
	}
	from := r.at
	for isLetter(r.peek()) || isDigit(r.peek()) || r.peek() == '-' {
		r.next()
	}
	header := len(r.file.headers) - 1
	l := gitLine{section: r.file.headers[header].section, key: strings.ToLower(r.text[from:r.at]), start: start, header: header}
	for r.peek() == ' ' || r.peek() == '\t' {
		r.next()
	}
	switch c := r.peek(); {
	case c == '=':
		r.next()
		value, err := r.value()
		if err != nil {
			return err
		}
		l.value = value
	case c != '\n' && r.at < len(r.text):
		return r.problem(fmt.Sprintf("after %s there is neither = nor the end of the line", l.key))
	}
	if r.peek() == '\n' {
		r.next()
	}
	l.end = r.at
	r.file.lines = append(r.file.lines, l)
	return nil
}

// value reads a value up to the end of its line, which a backslash moves on.
func (r *gitReader) value() (string, error) {
	var b strings.Builder
	quoted, keep := false, 0 // keep is how much is no trailing blank
	r.blanks()
	for {
		c := r.peek()
		switch {
		case r.at >= len(r.text) || c == '\n':
			if quoted {
				return "", r.problem("a quote does not end")
			}
			return b.String()[:keep], nil
		case c == 0:
			return "", r.problem("there is a NUL")
		case !quoted && (c == '#' || c == ';'):
			r.comment()
			return b.String()[:keep], nil
		case c == '"':
			quoted = !quoted
			r.next()
			keep = b.Len()
			continue
		case c == '\\':
			r.next()
			if r.at >= len(r.text) {
				return "", r.problem("the file ends in a backslash")
			}
			if r.peek() == '\n' {
				r.next()
				continue
			}
			plain, ok := gitEscape(r.peek())
			if !ok {
				return "", r.problem("a backslash before a character that needs none")
			}
			b.WriteByte(plain)
			keep = b.Len()
		default:
			b.WriteByte(c)
			if quoted || c != ' ' && c != '\t' && c != '\r' {
				keep = b.Len()
			}
		}
		r.next()
	}
}

func gitEscape(c byte) (byte, bool) {
	switch c {
	case '\\', '"':
		return c, true
	case 'n':
		return '\n', true
	case 't':
		return '\t', true
	case 'b':
		return '\b', true
	}
	return 0, false
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
