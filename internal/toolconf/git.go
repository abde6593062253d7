package toolconf

import (
	"slices"
	"strings"
)

// gitFormat writes sections such as
//
//	[credential "https://github.com"]
//		helper =
//		helper = !/usr/bin/usher helper git github
//
// at the end of the file. The empty helper has git forget the helpers that come
// before it, so that no other one is asked about this host, or told its token.
type gitFormat struct{}

func (f gitFormat) insert(text string, items []Item) (edits []Edit, err error) {
	nl := newline(text)
	for _, item := range items {
		s, _, err := f.find(text, item)
		if err != nil {
			return nil, err
		}
		if s == intact || s == extended {
			continue
		}
		lines := "[credential " + gitQuote(item.Name) + "]" + nl + "\thelper =" + nl + "\thelper = " + gitValue(item.Args[0]) + nl
		e := Edit{Item: item.Name, At: len(text), Piece: appended(text, lines)}
		edits, text = append(edits, e), e.Apply(text)
	}
	return edits, nil
}

// find looks for the last section of the item that has helpers.
func (gitFormat) find(text string, item Item) (state, int, error) {
	file, err := readGit(text)
	if err != nil {
		return absent, 0, err
	}
	first := file.ours(item)
	section := "credential." + item.Name
	if first < 0 {
		// Without both lines it is ours still if it calls us.
		for _, l := range file.lines {
			if l.section == section && l.key == "helper" && l.value != "" && sameCommand(l.value, item.Args[0]) {
				return changed, lineAt(text, l.start), nil
			}
		}
		return absent, 0, nil
	}
	line := lineAt(text, file.lines[first].start)
	if file.shared(first) {
		return extended, line, nil
	}
	return intact, line, nil
}

// ours is the first one of our two lines, or -1.
func (f gitFile) ours(item Item) int {
	section := "credential." + item.Name
	for i := len(f.lines) - 2; i >= 0; i-- {
		a, b := f.lines[i], f.lines[i+1]
		if a.section == section && a.header == b.header && a.key == "helper" && a.value == "" && b.key == "helper" && b.value == item.Args[0] {
			return i
		}
	}
	return -1
}

// shared reports whether the section of the lines i and i+1 has something else
// in it.
func (f gitFile) shared(i int) bool {
	header, ours := f.lines[i].header, f.lines[i]
	for j, l := range f.lines {
		if l.header == header && j != i && j != i+1 {
			return true
		}
	}
	from, to := f.headers[header].start, f.lines[i+1].end
	return !f.headers[header].alone || ours.start != f.headers[header].end || f.lines[i+1].start != ours.end ||
		slices.ContainsFunc(f.comments, func(at int) bool { return from <= at && at < to })
}

// cut takes out our two lines, and the header above them unless it is needed.
func (gitFormat) cut(text string, item Item, _ Edit) (Edit, error) {
	file, err := readGit(text)
	if err != nil {
		return Edit{}, err
	}
	i := file.ours(item)
	from, to := file.lines[i].start, file.lines[i+1].end
	if !file.shared(i) {
		from = file.headers[file.lines[i].header].start
	}
	if strings.TrimSpace(text[file.lines[i].end:file.lines[i+1].start]) != "" {
		return Edit{}, &Error{Line: lineAt(text, from), Problem: "something stands between the lines of usher", changed: true}
	}
	return Edit{At: from, Was: text[from:to]}, nil
}

// sameCommand reports whether two helpers are the same program of ours, maybe
// with other arguments.
func sameCommand(a, b string) bool {
	const verb = " helper git"
	i, j := strings.LastIndex(a, verb), strings.LastIndex(b, verb)
	return i >= 0 && j >= 0 && a[:i] == b[:j]
}

// gitQuote is a name in the quotes of a header.
func gitQuote(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

// gitValue is a value as it is written in a configuration.
func gitValue(value string) string {
	if !strings.ContainsAny(value, "\"\\#;") && strings.TrimSpace(value) == value {
		return value
	}
	return gitQuote(value)
}
