package toolconf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Item is one thing that a tool is told.
type Item struct {
	// Name is its name in the tool's file. For git it is the URL of a section
	// credential, for docker a registry, for kubectl "user NAME" or "context
	// NAME", for qwen the dotted name of a setting.
	Name string `json:"name"`
	// Args are what it says: for git the value of helper, for docker the name of
	// the helper, for a user of kubectl the apiVersion, the command and its
	// arguments, for a context the user, for qwen the setting's value.
	Args []string `json:"args"`
	// Key is the credential that it is about; empty if it is about none.
	Key string `json:"key,omitempty"`
}

// Edit replaces Was, at the byte At of a text, by Piece.
type Edit struct {
	// Item is the name of the item that the edit is for.
	Item  string `json:"item"`
	At    int    `json:"at"`
	Was   string `json:"was,omitempty"`
	Piece string `json:"piece"`
}

// Line is the line, counted from 1, of text in which the edit begins.
func (e Edit) Line(text string) int { return lineAt(text, e.At) }

// Apply makes the edit to text.
func (e Edit) Apply(text string) string { return text[:e.At] + e.Piece + text[e.At+len(e.Was):] }

// inverse takes e back, in a text where its piece is at the byte at.
func (e Edit) inverse(at int) Edit { return Edit{Item: e.Item, At: at, Was: e.Piece, Piece: e.Was} }

func applyAll(text string, edits []Edit) string {
	for _, e := range edits {
		text = e.Apply(text)
	}
	return text
}

// state is what has become of an item in a file.
type state int

const (
	absent   state = iota
	intact         // it says what we had it say, and nothing more
	extended       // somebody added to it, where that can be told apart
	changed        // it says something else
)

// format knows the files of one tool.
type format interface {
	// insert returns the edits that put items into text, each made to the text
	// that the one before it leaves.
	insert(text string, items []Item) ([]Edit, error)
	// find returns what has become of item in text, and the line it is in.
	find(text string, item Item) (state, int, error)
	// cut returns the edit that takes an item out of text that is there, however
	// it is written by now. The edit was put it there.
	cut(text string, item Item, put Edit) (Edit, error)
}

// formatOf returns the format of a tool's files.
func formatOf(tool string) (format, error) {
	switch tool {
	case "git":
		return gitFormat{}, nil
	case "docker":
		return jsonFormat{indent: "\t", path: func(name string) []string { return []string{"credHelpers", name} }}, nil
	case "qwen":
		return jsonFormat{indent: "  ", comments: true, path: func(name string) []string { return strings.Split(name, ".") }}, nil
	case "kubectl":
		return kubeFormat{}, nil
	}
	return nil, fmt.Errorf("no tool %q", tool)
}

// takeBack returns the edits that take items out of text, put there by edits.
// Items that somebody removed are no concern.
func takeBack(f format, text string, items []Item, edits []Edit) ([]Edit, error) {
	plain, there := true, false
	for _, item := range items {
		s, line, err := f.find(text, item)
		switch {
		case err != nil:
			return nil, err
		case s == changed:
			return nil, &Error{Line: line, Problem: fmt.Sprintf("what usher wrote about %s was changed since", item.Name), changed: true}
		}
		plain = plain && s == intact
		there = there || s != absent
	}
	if !there {
		return nil, nil
	}
	if plain {
		if back, ok := reverse(text, edits); ok && gone(f, applyAll(text, back), items) {
			return back, nil
		}
	}
	return cutAll(f, text, items, edits)
}

// reverse takes edits back by their pieces, each of which must be there once.
func reverse(text string, edits []Edit) (back []Edit, ok bool) {
	for _, e := range slices.Backward(edits) {
		at := strings.Index(text, e.Piece)
		if at < 0 || strings.Count(text, e.Piece) != 1 {
			return nil, false
		}
		inverse := e.inverse(at)
		back, text = append(back, inverse), inverse.Apply(text)
	}
	return back, true
}

// cutAll takes the items out one by one, by what they mean.
func cutAll(f format, text string, items []Item, edits []Edit) (back []Edit, err error) {
	for _, item := range slices.Backward(items) {
		if s, _, err := f.find(text, item); err != nil || s == absent {
			continue
		}
		var put Edit
		if i := slices.IndexFunc(edits, func(e Edit) bool { return e.Item == item.Name }); i >= 0 {
			put = edits[i]
		}
		e, err := f.cut(text, item, put)
		if err != nil {
			return nil, err
		}
		back, text = append(back, e), e.Apply(text)
	}
	if !gone(f, text, items) {
		return nil, errors.New("internal error: toolconf: something is left")
	}
	return back, nil
}

// gone reports whether text can be read and says none of items any more.
func gone(f format, text string, items []Item) bool {
	for _, item := range items {
		if s, _, err := f.find(text, item); err != nil || s == intact || s == extended {
			return false
		}
	}
	return true
}

func lineAt(text string, at int) int { return 1 + strings.Count(text[:at], "\n") }

// newline is the line break that text uses.
func newline(text string) string {
	if strings.Contains(text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// appended is lines as they go to the end of text. If its last line has no line
// break, the last one of lines has none either: what is put behind them later
// brings its own, which stays when lines are taken out.
func appended(text, lines string) string {
	before := onNewLine(text)
	return before + strings.TrimSuffix(lines, before)
}

// onNewLine is what has to come before a line that is added at the end of text.
func onNewLine(text string) string {
	if text == "" || text == bom || strings.HasSuffix(text, "\n") {
		return ""
	}
	return newline(text)
}

// bom is the byte order mark of UTF-8.
const bom = "\ufeff"
