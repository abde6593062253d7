package toolconf

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// jsonFormat sets members of nested objects to strings.
type jsonFormat struct {
	indent   string // of a file that has none of its own
	comments bool   // the tool knows comments in its file
	path     func(name string) []string
}

func (f jsonFormat) insert(text string, items []Item) (edits []Edit, err error) {
	for _, item := range items {
		e, err := f.set(text, f.path(item.Name), quoteJSON(item.Args[0]))
		if err != nil {
			return nil, err
		}
		if e == (Edit{}) {
			continue
		}
		e.Item = item.Name
		edits, text = append(edits, e), e.Apply(text)
	}
	return edits, nil
}

// set returns the edit that sets the member at path; none if it says so already.
func (f jsonFormat) set(text string, path []string, value string) (Edit, error) {
	root, ok, err := readJSON(text, f.comments)
	if err != nil {
		return Edit{}, err
	}
	if !ok {
		nl := newline(text)
		piece := onNewLine(text) + "{" + nl + f.indent + f.nested(path, value, nl, f.indent, f.indent) + nl + "}" + nl
		return Edit{At: len(text), Piece: piece}, nil
	}
	at := root
	for i, name := range path {
		if !at.object {
			return Edit{}, &Error{Line: lineAt(text, at.start), Problem: fmt.Sprintf("%s is no object, so nothing can be set in it", place(path[:i]))}
		}
		m, twice := at.member(name)
		switch {
		case twice:
			return Edit{}, &Error{Line: lineAt(text, m.start), Problem: place(path[:i+1]) + " is there twice"}
		case m == nil:
			return f.add(text, root, at, path[i:], value), nil
		case i == len(path)-1:
			if text[m.value.start:m.value.end] == value {
				return Edit{}, nil
			}
			return Edit{At: m.value.start, Was: text[m.value.start:m.value.end], Piece: value}, nil
		}
		at = m.value
	}
	panic("toolconf: internal error: no path")
}

// place is a path for people.
func place(path []string) string {
	if len(path) == 0 {
		return "the whole"
	}
	return strings.Join(path, ".")
}

// add returns the edit that adds a member at the end of object, in the way that
// the text is laid out.
func (f jsonFormat) add(text string, root, object jsonValue, path []string, value string) Edit {
	nl, unit := newline(text), indentOf(text, root, f.indent)
	if n := len(object.members); n > 0 {
		last := object.members[n-1]
		indent, ownLine := lineIndent(text, last.start)
		if !ownLine {
			return Edit{At: last.end, Piece: ", " + f.nested(path, value, "", "", "")}
		}
		comment := f.comment(text, last.end)
		return Edit{At: last.end, Was: comment, Piece: "," + comment + nl + indent + f.nested(path, value, nl, indent, unit)}
	}
	e := Edit{At: object.start + 1}
	if inner := text[object.start+1 : object.end-1]; strings.TrimSpace(inner) == "" {
		e.Was = inner // else it is a comment, which stays
	}
	if len(root.members) > 0 && !strings.Contains(text[root.start:root.end], "\n") {
		e.Piece = f.nested(path, value, "", "", "")
		return e
	}
	before := text[lineStart(text, object.start):object.start]
	indent := before[:len(before)-len(strings.TrimLeft(before, " \t"))]
	e.Piece = nl + indent + unit + f.nested(path, value, nl, indent+unit, unit) + nl + indent
	return e
}

// comment is the comments that end the line from the byte at on, with the blanks
// before them; empty if something else does.
func (f jsonFormat) comment(text string, at int) string {
	line, _, _ := strings.Cut(text[at:], "\n")
	r := &jsonReader{text: line, comments: f.comments}
	if err := r.blanks(); err != nil || r.at < len(line) {
		return ""
	}
	return strings.TrimRight(line, jsonBlanks)
}

// nested is the member at path with all its parents, at an indentation; without
// a line break in nl it is one line.
func (f jsonFormat) nested(path []string, value, nl, indent, unit string) string {
	name := quoteJSON(path[0]) + ": "
	if len(path) == 1 {
		return name + value
	}
	return name + "{" + nl + indent + unit + f.nested(path[1:], value, nl, indent+unit, unit) + nl + indent + "}"
}

func (f jsonFormat) find(text string, item Item) (state, int, error) {
	chain, err := f.chain(text, f.path(item.Name))
	if err != nil || chain == nil {
		return absent, 0, err
	}
	m := chain[len(chain)-1].member
	var says any
	_ = json.Unmarshal([]byte(text[m.value.start:m.value.end]), &says) // else it is not ours
	if says == item.Args[0] {
		return intact, lineAt(text, m.start), nil
	}
	return changed, lineAt(text, m.start), nil
}

// link is a member with the object that it is in.
type link struct {
	object jsonValue
	member jsonMember
}

// chain is the members on the way to path; nil if one of them is missing.
func (f jsonFormat) chain(text string, path []string) (chain []link, err error) {
	at, _, err := readJSON(text, f.comments)
	if err != nil {
		return nil, err
	}
	for _, name := range path {
		m, _ := at.member(name)
		if m == nil {
			return nil, nil
		}
		chain = append(chain, link{at, *m})
		at = m.value
	}
	return chain, nil
}

// cut sets the member back to what it was, or takes it out, with the objects
// around it that came with it and have nothing else by now.
func (f jsonFormat) cut(text string, item Item, put Edit) (Edit, error) {
	path := f.path(item.Name)
	chain, err := f.chain(text, path)
	if err != nil {
		return Edit{}, err
	}
	l := chain[len(chain)-1]
	if _, replaced, err := readJSON(put.Was, f.comments); err == nil && replaced {
		return Edit{At: l.member.value.start, Was: text[l.member.value.start:l.member.value.end], Piece: put.Was}, nil
	}
	for i := len(chain) - 1; i > 0 && len(chain[i].object.members) == 1 && strings.Contains(put.Piece, quoteJSON(path[i-1])+": {"); i-- {
		l = chain[i-1]
	}
	from, to := l.member.start, l.member.end
	i := slices.IndexFunc(l.object.members, func(m jsonMember) bool { return m.start == l.member.start })
	switch {
	case i > 0: // with the comma before; a comment between them stays
		comma := l.object.members[i-1].comma
		from = comma + 1 + len(strings.TrimRight(text[comma+1:from], jsonBlanks))
		return Edit{At: comma, Was: text[comma:to], Piece: text[comma+1 : from]}, nil
	case l.member.comma >= 0:
		to = l.object.members[1].start
	default:
		from = l.object.start + 1 + len(strings.TrimRight(text[l.object.start+1:from], jsonBlanks))
		to = l.object.end - 1 - len(strings.TrimLeft(text[to:l.object.end-1], jsonBlanks))
	}
	return Edit{At: from, Was: text[from:to]}, nil
}

const jsonBlanks = " \t\r\n"

// indentOf is the indentation of one level in text.
func indentOf(text string, root jsonValue, otherwise string) string {
	if len(root.members) > 0 {
		if indent, ownLine := lineIndent(text, root.members[0].start); ownLine && indent != "" {
			return indent
		}
	}
	return otherwise
}

// lineIndent is the blanks before what is at the byte at, and whether there is
// nothing else before it on its line, which is not the first one.
func lineIndent(text string, at int) (indent string, ownLine bool) {
	start := lineStart(text, at)
	indent = text[start:at]
	return indent, start > 0 && strings.Trim(indent, " \t") == ""
}

func lineStart(text string, at int) int { return strings.LastIndexByte(text[:at], '\n') + 1 }

func quoteJSON(s string) string {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic("toolconf: internal error: " + err.Error())
	}
	return string(quoted)
}
