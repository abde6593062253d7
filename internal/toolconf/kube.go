package toolconf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// kubeFormat writes users that get their token by a command, and sets the user
// of contexts.
type kubeFormat struct{}

// What begins the names of its items.
const (
	KubeUser    = "user "
	KubeContext = "context "
)

func (f kubeFormat) insert(text string, items []Item) (edits []Edit, err error) {
	for _, item := range items {
		var e Edit
		if name, ok := strings.CutPrefix(item.Name, KubeUser); ok {
			e, err = f.addUser(text, name, item.Args)
		} else {
			e, err = f.setContext(text, strings.TrimPrefix(item.Name, KubeContext), item.Args[0])
		}
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

// userLines are the lines of a user, each ended by a line break.
func userLines(name string, args []string, indent, nl string) string {
	lines := []string{
		"- name: " + quoteYAML(name),
		"  user:",
		"    exec:",
		"      apiVersion: " + args[0],
		"      command: " + quoteYAML(args[1]),
		"      args:",
	}
	for _, arg := range args[2:] {
		lines = append(lines, "      - "+quoteYAML(arg))
	}
	if strings.HasSuffix(args[0], "/v1") { // v1beta1 knows no such thing
		lines = append(lines, "      interactiveMode: Never")
	}
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(indent + line + nl)
	}
	return b.String()
}

func (kubeFormat) addUser(text, name string, args []string) (Edit, error) {
	file, err := readKube(text)
	if err == nil {
		var e Edit
		if e, err = file.addUser(name, args); err == nil {
			return e, nil
		}
	}
	var odd *Error
	if errors.As(err, &odd) && odd.ByHand == "" {
		odd.ByHand = "users:\n" + userLines(name, args, "", "\n")
	}
	return Edit{}, err
}

func (f kubeFile) addUser(name string, args []string) (Edit, error) {
	nl := newline(f.text)
	users, err := f.items("users")
	if err != nil {
		return Edit{}, err
	}
	if i := slices.IndexFunc(users, func(u kubeItem) bool { return u.name == name }); i >= 0 {
		if f.judge(users[i], args) == intact {
			return Edit{}, nil
		}
		return Edit{}, &Error{Line: lineAt(f.text, f.lines[users[i].first].start), Problem: fmt.Sprintf("there is a user %q already, which usher did not write", name)}
	}
	at, _, err := f.root("users")
	switch {
	case err != nil:
		return Edit{}, err
	case at < 0:
		head := ""
		if !slices.ContainsFunc(f.lines, func(l kubeLine) bool { return !l.empty }) {
			head = "apiVersion: v1" + nl + "kind: Config" + nl
		}
		return Edit{At: len(f.text), Piece: appended(f.text, head+"users:"+nl+userLines(name, args, "", nl))}, nil
	}
	l := f.lines[at]
	switch l.value {
	case "":
		indent := 0
		if len(users) > 0 {
			indent = f.lines[users[0].first].indent
		}
		return Edit{At: l.end, Piece: appended(f.text[:l.end], userLines(name, args, strings.Repeat(" ", indent), nl))}, nil
	case "[]", "null", "~":
		if strings.TrimSpace(f.text[l.to:l.end]) == "" && len(users) == 0 {
			return Edit{At: l.from - 1, Was: f.text[l.from-1 : l.end], Piece: nl + userLines(name, args, "", nl)}, nil
		}
	}
	return Edit{}, f.odd(l)
}

func (kubeFormat) setContext(text, name, user string) (Edit, error) {
	file, err := readKube(text)
	if err != nil {
		return Edit{}, err
	}
	context, err := file.context(name)
	if err != nil {
		return Edit{}, err
	}
	if context == nil {
		return Edit{}, notThere("context", name)
	}
	line, other := file.grandchild(*context, "context", "user")
	switch {
	case line >= 0 && file.lines[line].value == user:
		return Edit{}, nil
	case line >= 0:
		l := file.lines[line]
		if l.value != unquoteYAML(text[l.from:l.to]) || strings.ContainsAny(text[l.from:min(l.from+1, len(text))], "{[&*!|>") {
			return Edit{}, file.odd(l)
		}
		return Edit{At: l.from, Was: text[l.from:l.to], Piece: quoteYAML(user)}, nil
	case other < 0:
		return Edit{}, file.odd(file.lines[context.first])
	}
	l := file.lines[other]
	return Edit{At: l.start, Piece: strings.Repeat(" ", l.indent) + "user: " + quoteYAML(user) + newline(text)}, nil
}

// context finds a context; nil if there is none.
func (f kubeFile) context(name string) (*kubeItem, error) {
	items, err := f.items("contexts")
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		if item.name == name {
			return &item, nil
		}
	}
	return nil, nil
}

func (f kubeFormat) find(text string, item Item) (state, int, error) {
	file, err := readKube(text)
	if err != nil {
		return absent, 0, err
	}
	if name, ok := strings.CutPrefix(item.Name, KubeUser); ok {
		users, err := file.items("users")
		for _, u := range users {
			if u.name == name {
				return file.judge(u, item.Args), lineAt(text, file.lines[u.first].start), nil
			}
		}
		return absent, 0, err
	}
	context, err := file.context(strings.TrimPrefix(item.Name, KubeContext))
	if context == nil || err != nil {
		return absent, 0, err
	}
	line, _ := file.grandchild(*context, "context", "user")
	if line < 0 || file.lines[line].value != item.Args[0] {
		return absent, 0, nil // it has another user by now, which is theirs
	}
	return intact, lineAt(text, file.lines[line].start), nil
}

// judge compares a user with what we wrote, without regard to the order. What
// kubectl itself adds when it writes the file anew says nothing new.
func (f kubeFile) judge(user kubeItem, args []string) state {
	ours, err := readKube("users:\n" + userLines(user.name, args, "", "\n"))
	if err != nil {
		return changed
	}
	want := ours.says(1, len(ours.lines))
	got := slices.DeleteFunc(f.says(user.first, user.end), func(s string) bool {
		return slices.Contains([]string{"env: null", "env: []", "provideClusterInfo: false", "interactiveMode: IfAvailable"}, s)
	})
	slices.Sort(want)
	slices.Sort(got)
	if slices.Equal(want, got) {
		return intact
	}
	return changed
}

// says is what the lines say, one by one.
func (f kubeFile) says(from, to int) (all []string) {
	for i := from; i < to; i++ {
		l := f.lines[i]
		switch {
		case l.empty && strings.TrimSpace(f.text[l.start:l.end]) == "":
		case l.empty:
			all = append(all, "#")
		case l.key == "":
			all = append(all, l.value)
		default:
			all = append(all, l.key+": "+l.value)
		}
	}
	return all
}

func (f kubeFormat) cut(text string, item Item, put Edit) (Edit, error) {
	file, err := readKube(text)
	if err != nil {
		return Edit{}, err
	}
	if name, ok := strings.CutPrefix(item.Name, KubeUser); ok {
		return file.cutUser(name)
	}
	context, err := file.context(strings.TrimPrefix(item.Name, KubeContext))
	if err != nil {
		return Edit{}, err
	}
	line, _ := file.grandchild(*context, "context", "user")
	l := file.lines[line]
	if put.Was == "" {
		return Edit{At: l.start, Was: text[l.start:l.end]}, nil
	}
	return Edit{At: l.from, Was: text[l.from:l.to], Piece: put.Was}, nil
}

// cutUser takes a user out, and leaves an empty list empty.
func (f kubeFile) cutUser(name string) (Edit, error) {
	users, err := f.items("users")
	if err != nil {
		return Edit{}, err
	}
	i := slices.IndexFunc(users, func(u kubeItem) bool { return u.name == name })
	from, to := f.lines[users[i].first].start, f.lines[users[i].end-1].end
	if len(users) > 1 {
		return Edit{At: from, Was: f.text[from:to]}, nil
	}
	at, _, err := f.root("users")
	if err != nil {
		return Edit{}, err
	}
	l := f.lines[at]
	if l.end != from {
		return Edit{At: from, Was: f.text[from:to]}, nil // a comment: the key has nothing then
	}
	return Edit{At: l.to, Was: f.text[l.to:to], Piece: " []" + newline(f.text)}, nil
}
