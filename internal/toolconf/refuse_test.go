package toolconf

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// A file that cannot be edited for sure is left alone, and the place is named.
func TestRefuses(t *testing.T) {
	user := kubeItems("corp", "")
	for _, tt := range []struct {
		name, tool, text string
		items            []Item
		line             int
	}{
		{"git, an open quote", "git", "[user]\n\tname = \"Ada\n", []Item{gitItem("a", "a")}, 2},
		{"git, an open header", "git", "[user\nname = x\n", []Item{gitItem("a", "a")}, 1},
		{"git, no section", "git", "name = x\n", []Item{gitItem("a", "a")}, 1},
		{"git, an unknown escape", "git", "[a]\nb = \\q\n", []Item{gitItem("a", "a")}, 2},
		{"git, a backslash at the end", "git", "[a]\nb = c\\", []Item{gitItem("a", "a")}, 2},
		{"git, an unquoted subsection", "git", "[a b]\n", []Item{gitItem("a", "a")}, 1},
		{"git, words", "git", "[a]\nb c\n", []Item{gitItem("a", "a")}, 2},
		{"git, NUL", "git", "[a]\nb = \x00\n", []Item{gitItem("a", "a")}, 2},
		{"docker, cut off", "docker", "{\n\"auths\": {", []Item{dockerItem("a")}, 2},
		{"docker, a comment", "docker", "{\n// mine\n}", []Item{dockerItem("a")}, 2},
		{"docker, a comma too many", "docker", "{\n\"a\": 1,\n}", []Item{dockerItem("a")}, 2},
		{"docker, no object", "docker", "\n[]", []Item{dockerItem("a")}, 2},
		{"docker, helpers are no object", "docker", "{\n\"credHelpers\": []}", []Item{dockerItem("a")}, 2},
		{"docker, twice", "docker", "{\"credHelpers\": {},\n\"credHelpers\": {}}", []Item{dockerItem("a")}, 2},
		{"docker, two values", "docker", "{}\n{}", []Item{dockerItem("a")}, 2},
		{"docker, deep", "docker", strings.Repeat("[", 300), []Item{dockerItem("a")}, 1},
		{"qwen, an open comment", "qwen", "{}\n/* x", []Item{qwenItem}, 2},
		{"kubectl, JSON", "kubectl", "{\"users\": []}", user, 1},
		{"kubectl, flow", "kubectl", "users: [\n{name: x}]\n", user, 1},
		{"kubectl, a tab", "kubectl", "users:\n\t- name: x\n", user, 2},
		{"kubectl, an anchor", "kubectl", "users: &u\n- name: x\n", user, 1},
		{"kubectl, twice", "kubectl", "users: []\nusers: []\n", user, 2},
		{"kubectl, two documents", "kubectl", "users: []\n---\nusers: []\n", user, 2},
		{"kubectl, a mapping", "kubectl", "users:\n  x: y\n", user, 2},
		{"kubectl, a user of that name", "kubectl", "users:\n- name: usher-corp\n  user: {}\n", user, 2},
		{"kubectl, no such context", "kubectl", config, kubeItems("corp", "three")[1:], 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t, tt.tool, tt.text)
			_, err := Setup(p.home, p.Target, tt.items, false)
			var e *Error
			if !errors.As(err, &e) || e.Path != p.Path || e.Line != tt.line || e.Problem == "" {
				t.Errorf("got %v", err)
			} else if tt.tool == "kubectl" && tt.line > 0 && !strings.Contains(e.ByHand, "command: /bin/usher") {
				t.Errorf("by hand: %q", e.ByHand)
			}
			p.want(tt.text)
			if left, err := Records(p.home); len(left) != 0 || err != nil {
				t.Errorf("in the journal: %+v, %v", left, err)
			}
		})
	}
}

// What the file said before is the person's, and stays.
func TestWhatWasThereIsNotOurs(t *testing.T) {
	for tool, tt := range map[string]struct {
		items []Item
		text  string
	}{
		"docker": {[]Item{dockerItem("ghcr.io")}, `{"credHelpers":{"ghcr.io":"usher"}}`},
		"qwen":   {[]Item{qwenItem}, `{"security":{"auth":{"selectedType":"openai"}}}`},
	} {
		p := newPlace(t, tool, tt.text)
		if c := p.setup(tt.items...); !c.Nothing() {
			t.Errorf("%s: %+v", tool, c)
		}
		p.write(tt.text + "\n")
		if err := p.undo(); err != nil {
			t.Error(err)
		}
		p.want(tt.text + "\n")
	}
}

// Setting up for another key replaces, for another host adds; undoing one of
// them leaves the other.
func TestItemsOfOneFile(t *testing.T) {
	p := newPlace(t, "git", "[user]\n\tname = Ada")
	p.setup(gitItem("a.example", "a"))
	p.setup(gitItem("b.example", "b"))
	p.setup(gitItem("a.example", "a/work"))
	two := "\n[credential \"https://b.example\"]\n\thelper =\n\thelper = !/bin/usher helper git b"
	p.want("[user]\n\tname = Ada" + two + "\n[credential \"https://a.example\"]\n\thelper =\n\thelper = !/bin/usher helper git a/work")
	if err := p.undoOf(func(i Item) bool { return i.Key == "a/work" }); err != nil {
		t.Fatal(err)
	}
	p.want("[user]\n\tname = Ada" + two)
	if err := p.undo(); err != nil {
		t.Fatal(err)
	}
	p.want("[user]\n\tname = Ada")
}

// What the person took out by hand does not come back with the next setup.
func TestTakenOutByHandStaysOut(t *testing.T) {
	p := newPlace(t, "git", "")
	p.setup(gitItem("a.example", "a"))
	p.write("[user]\n")
	p.setup(gitItem("b.example", "b"))
	p.want("[user]\n[credential \"https://b.example\"]\n\thelper =\n\thelper = !/bin/usher helper git b\n")

	p = newPlace(t, "kubectl", config)
	p.setup(kubeItems("corp", "one")...)
	p.write(strings.Replace(p.read(), "user: usher-corp #", "user: other #", 1))
	p.setup(kubeItems("more", "")...)
	if !strings.Contains(p.read(), "user: other #") {
		t.Errorf("the context's user:\n%s", p.read())
	}
	if err := p.undoOf(func(i Item) bool { return i.Key == "more" }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p.read(), "user: other #") {
		t.Errorf("the context's user:\n%s", p.read())
	}
	if err := p.undo(); err != nil {
		t.Fatal(err)
	}
	p.want(strings.Replace(config, "user: admin #", "user: other #", 1))
}

// Dry runs tell the whole change and change nothing.
func TestDryRun(t *testing.T) {
	for _, tt := range goldens {
		p := newPlace(t, tt.tool, tt.before)
		c, err := Setup(p.home, p.Target, tt.items, true)
		if err != nil || applyAll(c.Before, c.Edits) != tt.want {
			t.Errorf("%s: %+v, %v", tt.name, c, err)
		}
		p.want(tt.before)
		if _, err := os.Lstat(p.home); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the data folder: %v", tt.name, err)
		}
		p.setup(tt.items...)
		records, _ := Records(p.home)
		for _, r := range records {
			c, err := Undo(p.home, r, func(Item) bool { return true }, true)
			if err != nil || c.Nothing() || c.Removed != (tt.before == "-") || !c.Removed && applyAll(c.Before, c.Edits) != tt.before {
				t.Errorf("%s: undo: %+v, %v", tt.name, c, err)
			}
		}
		p.want(tt.want)
	}
}

// A second setup shows what it changes, and not what it leaves as it is.
func TestChangeIsWhatChanges(t *testing.T) {
	p := newPlace(t, "git", "[user]\n")
	p.setup(gitItem("a.example", "a"), gitItem("b.example", "a"))
	before := p.read()
	c := p.setup(gitItem("c.example", "c"))
	if len(c.Edits) != 1 || c.Edits[0].Item != "https://c.example" || c.Before != before || applyAll(c.Before, c.Edits) != p.read() {
		t.Errorf("the change: %+v", c)
	}
	if err := p.undo(); err != nil {
		t.Fatal(err)
	}
	p.want("[user]\n")
}

// A journal that was changed leads to no other place of the file.
func TestEditsOfTheJournalThatDoNotFit(t *testing.T) {
	const before = "[user]\n\tname = me\n"
	for _, by := range []int{-1 << 40, -1, 1, 1 << 40} {
		p := newPlace(t, "git", before)
		p.setup(gitItem("a.example", "a"))
		records, err := Records(p.home)
		if err != nil || len(records) != 1 {
			t.Fatalf("%d records, %v", len(records), err)
		}
		records[0].Edits[0].At += by
		if err := journalOf(p.home).write(records[0]); err != nil {
			t.Fatal(err)
		}
		if err := p.undo(); err != nil {
			t.Errorf("off by %d: %v", by, err)
		}
		p.want(before)
	}
}
