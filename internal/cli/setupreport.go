package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/toolconf"
)

// setupFile is what became of a file, as --json prints it.
type setupFile struct {
	Path string `json:"path"`
	// Action is created, changed, removed or unchanged.
	Action string `json:"action"`
}

func (s *settingUp) report(ctx context.Context) error {
	if s.json {
		return s.reportJSON()
	}
	if s.dryRun {
		return s.preview()
	}
	wrote := false
	for _, c := range s.changes {
		wrote = wrote || !c.Nothing()
		s.sayf("%s", s.done(c))
	}
	if s.undo {
		return nil
	}
	for _, hint := range s.hints {
		s.hintf("%s", hint)
	}
	if hint := s.loginHint(ctx); hint != "" {
		s.say("hint: " + hint)
	}
	if wrote {
		s.say("hint: to take it back, run: usher setup " + s.tool + " --undo")
	}
	return nil
}

// hintf tells what to do next; a line with a command is to be copied whole.
func (s *settingUp) hintf(format string, args ...any) {
	e := api.Errorf(api.CodeInternal, "").WithHint(format, args...)
	for line := range strings.Lines(e.Hint) {
		line = "hint: " + show(strings.TrimSuffix(line, "\n"))
		if strings.Contains(line, ": usher ") || strings.Contains(line, "run: ") {
			s.say(line)
		} else {
			s.sayf("%s", line)
		}
	}
}

// done is a sentence about what became of a file.
func (s *settingUp) done(c toolconf.Change) string {
	path := s.homely(c.Path)
	switch {
	case c.Target != "" && c.Created:
		return "Made " + path + ", a link to " + s.homely(c.Target) + "."
	case c.Removed:
		return "Removed " + path + ", which usher had made."
	case c.Nothing() && s.undo:
		return path + " has nothing of usher in it any more."
	case c.Nothing():
		return path + " says so already."
	case s.undo:
		return "Took out of " + path + " what usher had written."
	}
	return "Wrote " + path + ": " + s.what() + "."
}

// what says in a few words what the tool does from now on.
func (s *settingUp) what() string {
	switch s.tool {
	case "git":
		return "git asks usher, and nobody else, about " + enumerate(s.told)
	case "docker":
		return "docker asks usher about " + enumerate(s.told)
	case "kubectl":
		return "the user " + kubeUser(s.key) + " gets its token from usher"
	}
	return "qwen takes its token from the environment"
}

// enumerate is names as a list in a sentence.
func enumerate(names []string) string {
	if n := len(names) - 1; n > 0 {
		return strings.Join(names[:n], ", ") + " and " + names[n]
	}
	return strings.Join(names, "")
}

// action is the word for a change in JSON.
func action(c toolconf.Change) string {
	switch {
	case c.Created:
		return "created"
	case c.Removed:
		return "removed"
	case c.Nothing():
		return "unchanged"
	}
	return "changed"
}

func (s *settingUp) reportJSON() error {
	out := struct {
		Tool   string      `json:"tool"`
		Key    string      `json:"key,omitempty"`
		Undo   bool        `json:"undo"`
		DryRun bool        `json:"dry_run"`
		Files  []setupFile `json:"files"`
	}{s.tool, s.key, s.undo, s.dryRun, []setupFile{}}
	for _, c := range s.changes {
		out.Files = append(out.Files, setupFile{c.Path, action(c)})
	}
	return s.printJSON(out)
}

// preview prints what would be written and taken out, with the lines it is at.
// What else is in the file is not shown: that may be secrets.
func (s *settingUp) preview() error {
	var lines []string
	for _, c := range s.changes {
		path := s.homely(c.Path)
		switch {
		case c.Target != "" && c.Created:
			lines = append(lines, "new link "+path, "+"+s.homely(c.Target))
		case c.Target != "" && c.Removed:
			lines = append(lines, "remove "+path)
		case c.Nothing():
			lines = append(lines, path+": nothing to do")
		}
		text := c.Before
		for _, e := range c.Edits {
			lines = append(lines, s.at(c, e, text))
			lines = append(lines, marked("-", e.Was)...)
			lines = append(lines, marked("+", e.Piece)...)
			text = e.Apply(text)
		}
		if c.Removed && c.Target == "" {
			lines = append(lines, "remove "+path)
		}
	}
	return s.printLines(lines)
}

// at says where an edit is.
func (s *settingUp) at(c toolconf.Change, e toolconf.Edit, text string) string {
	if c.Created {
		return "new file " + s.homely(c.Path)
	}
	line := e.Line(text)
	if strings.HasPrefix(strings.TrimLeft(e.Piece+e.Was, "\r"), "\n") {
		line++ // it begins with the end of that line
	}
	return s.homely(c.Path) + ", line " + strconv.Itoa(line)
}

// marked is each line of text with a mark before it. A text within a line, such
// as a value that is replaced, is shown alone.
func marked(mark, text string) (lines []string) {
	text = strings.Trim(text, "\r\n")
	if strings.TrimSpace(text) == "" {
		return nil
	}
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")
		lines = append(lines, mark+show(line))
	}
	return lines
}

// loginHint is how to log in, if that is needed before the tool gets a token.
func (s *settingUp) loginHint(ctx context.Context) string {
	if s.key == "" {
		return ""
	}
	session, err := s.open(ctx)
	if err != nil {
		return ""
	}
	defer session.close(settleBound)
	key, err := s.resolveKey(s.key, "")
	if err != nil {
		return ""
	}
	c, err := session.Credential(ctx, key)
	if neededLogin(err) != nil || err == nil && c.State != api.StateActive {
		return "nobody is logged in yet; run: usher login " + key
	}
	return ""
}
