package toolconf

import (
	"fmt"
	"strings"
)

// kubeLine is a line of a kubeconfig.
type kubeLine struct {
	start, end int    // in the text, the line break included
	indent     int    // how many blanks it begins with
	dash       bool   // it begins an item of a list
	key        string // what stands before the colon; empty if nothing does
	value      string // what stands behind it, or behind the dash; quotes resolved
	from, to   int    // the value in the text, as it is written
	empty      bool   // a comment, or nothing
}

// column is where the key or value of a line begins.
func (l kubeLine) column(text string) int {
	at := l.start + l.indent
	if l.dash {
		at++
		at += len(text[at:l.end]) - len(strings.TrimLeft(text[at:l.end], " "))
	}
	return at - l.start
}

// kubeFile is a kubeconfig as kubectl writes it: block style all over. What is
// written in another way is refused, not guessed at.
type kubeFile struct {
	text  string
	lines []kubeLine
}

func readKube(text string) (kubeFile, error) {
	f := kubeFile{text: text}
	at := 0
	if strings.HasPrefix(text, bom) {
		at = len(bom)
	}
	listed := false // the key at the left margin has a list, or may have one
	for begun := false; at < len(text); {
		l, err := readKubeLine(text, at)
		if err != nil {
			return f, err
		}
		at = l.end
		plain := strings.TrimRight(text[l.start:l.end], " \r\n")
		switch {
		case l.empty:
		case plain == "---" && !begun:
			l.empty = true
			begun = true
		case l.indent == 0 && l.dash && listed, l.indent > 0 && begun:
			begun = true
		case l.indent == 0 && !l.dash && l.key != "" && rootValue(l.value):
			begun, listed = true, l.value == ""
		default:
			return f, f.odd(l)
		}
		f.lines = append(f.lines, l)
	}
	return f, nil
}

// rootValue reports whether a value at the left margin begins and ends on its
// line.
func rootValue(value string) bool {
	return value == "{}" || value == "[]" || !strings.ContainsAny(value[:min(1, len(value))], "{[&*!|>%@`\"'")
}

func (f kubeFile) odd(l kubeLine) error {
	return &Error{Line: lineAt(f.text, l.start), Problem: "this is not laid out as kubectl does it"}
}

// readKubeLine reads the line at the byte at.
func readKubeLine(text string, at int) (kubeLine, error) {
	l := kubeLine{start: at, end: len(text)}
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		l.end = at + i + 1
	}
	line := strings.TrimRight(text[at:l.end], " \r\n")
	if strings.ContainsAny(line, "\t\x00") {
		return l, &Error{Line: lineAt(text, at), Problem: "there is a tab"}
	}
	rest := strings.TrimLeft(line, " ")
	l.indent = len(line) - len(rest)
	if rest == "" || rest[0] == '#' {
		l.empty = true
		return l, nil
	}
	if l.dash = rest == "-" || strings.HasPrefix(rest, "- "); l.dash {
		rest = strings.TrimLeft(rest[1:], " ")
	}
	if key, value, ok := strings.Cut(rest, ": "); ok && isKey(key) {
		l.key, rest = key, strings.TrimLeft(value, " ")
	} else if key, ok := strings.CutSuffix(rest, ":"); ok && isKey(key) {
		l.key, rest = key, ""
	}
	l.to = at + len(line)
	if i := strings.Index(" "+rest, " #"); i >= 0 && !strings.ContainsAny(rest[:min(1, len(rest))], `"'`) {
		l.to -= len(rest) - max(i-1, 0)
		rest = rest[:max(i-1, 0)]
		trimmed := strings.TrimRight(rest, " ")
		l.to -= len(rest) - len(trimmed)
		rest = trimmed
	}
	l.from = l.to - len(rest)
	l.value = unquoteYAML(rest)
	return l, nil
}

// isKey reports whether s is a key in the plain style.
func isKey(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r < 0x80 && (isLetter(byte(r)) || isDigit(byte(r))) || r == '-' || r == '_' || r == '.')
	})
}

// unquoteYAML is a scalar without its quotes; one that is more than plain text
// in quotes stays as it is.
func unquoteYAML(s string) string {
	if len(s) < 2 || s[0] != s[len(s)-1] {
		return s
	}
	inner := s[1 : len(s)-1]
	switch {
	case s[0] == '\'' && !strings.Contains(strings.ReplaceAll(inner, "''", ""), "'"):
		return strings.ReplaceAll(inner, "''", "'")
	case s[0] == '"' && !strings.ContainsAny(inner, `"\`):
		return inner
	}
	return s
}

// kubeItem is an item of one of the lists: its lines are those from first up to
// but without end.
type kubeItem struct {
	first, end int
	name       string
}

// root finds the key at the left margin: its line, or -1, and where its block
// ends.
func (f kubeFile) root(key string) (line, end int, err error) {
	line, end = -1, len(f.lines)
	for i, l := range f.lines {
		switch {
		case l.empty || l.indent > 0 || l.dash:
		case l.key == key && line >= 0:
			return 0, 0, &Error{Line: lineAt(f.text, l.start), Problem: key + " is there twice"}
		case l.key == key:
			line = i
		case line >= 0 && end == len(f.lines):
			end = i
		}
	}
	return line, end, nil
}

// items are the items of the list at the left margin.
func (f kubeFile) items(key string) (items []kubeItem, err error) {
	at, end, err := f.root(key)
	if at < 0 || err != nil {
		return nil, err
	}
	indent := -1
	for i := at + 1; i < end; i++ {
		l := f.lines[i]
		switch {
		case l.empty:
			continue
		case indent < 0 && l.dash:
			indent = l.indent
		case indent < 0:
			return nil, f.odd(l)
		}
		if l.dash && l.indent == indent {
			items = append(items, kubeItem{first: i})
		} else if l.indent <= indent {
			return nil, f.odd(l)
		}
		items[len(items)-1].end = i + 1
	}
	for i := range items {
		if l, ok := f.child(items[i], "name"); ok {
			items[i].name = f.lines[l].value
		}
	}
	return items, nil
}

// child is the line of an item's own key.
func (f kubeFile) child(item kubeItem, key string) (int, bool) {
	column := f.lines[item.first].column(f.text)
	for i := item.first; i < item.end; i++ {
		if l := f.lines[i]; !l.empty && l.column(f.text) == column && l.key == key && (i == item.first || !l.dash) {
			return i, true
		}
	}
	return 0, false
}

// grandchild is the line of a key in the mapping that an item's key has. Other
// is a line of that mapping all the same, or -1.
func (f kubeFile) grandchild(item kubeItem, key, sub string) (line, other int) {
	at, ok := f.child(item, key)
	if !ok {
		return -1, -1
	}
	outer, inner := f.lines[item.first].column(f.text), -1
	for i := at + 1; i < item.end; i++ {
		l := f.lines[i]
		if l.empty {
			continue
		}
		if l.indent <= outer {
			break
		}
		if inner < 0 {
			inner = l.indent
			other = i
		}
		if l.indent == inner && l.key == sub {
			return i, other
		}
	}
	if inner < 0 {
		return -1, -1
	}
	return -1, other
}

// quoteYAML is s as a scalar that every reader takes for a string.
func quoteYAML(s string) string {
	plain := s != "" && (isLetter(s[0]) || s[0] == '/') && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r < 0x80 && (isLetter(byte(r)) || isDigit(byte(r))) || strings.ContainsRune("/._-", r))
	})
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		plain = false
	}
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func notThere(what, name string) error {
	return &Error{Problem: fmt.Sprintf("there is no %s %q", what, name)}
}

// Context is a context of a kubeconfig.
type Context struct {
	Path                string // of the file that has it
	Name, Cluster, User string
}

// Contexts returns the contexts of the kubeconfig at path; a missing file has
// none. An *[Error] is about a file that is not laid out as kubectl does it.
func Contexts(path string) (contexts []Context, err error) {
	read, err := readFile(path)
	if err != nil {
		return nil, err
	}
	f, err := readKube(read.text)
	if err != nil {
		return nil, in(path, err)
	}
	items, err := f.items("contexts")
	if err != nil {
		return nil, in(path, err)
	}
	for _, item := range items {
		c := Context{Path: path, Name: item.name}
		if line, _ := f.grandchild(item, "context", "cluster"); line >= 0 {
			c.Cluster = f.lines[line].value
		}
		if line, _ := f.grandchild(item, "context", "user"); line >= 0 {
			c.User = f.lines[line].value
		}
		contexts = append(contexts, c)
	}
	return contexts, nil
}
