package toolconf

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func gitItem(host, key string) Item {
	return Item{Name: "https://" + host, Args: []string{"!/bin/usher helper git " + key}, Key: key}
}

func kubeItems(key, context string) []Item {
	items := []Item{{Name: KubeUser + "usher-" + key, Args: []string{"client.authentication.k8s.io/v1", "/bin/usher", "helper", "kubectl", key}, Key: key}}
	if context != "" {
		items = append(items, Item{Name: KubeContext + context, Args: []string{"usher-" + key}, Key: key})
	}
	return items
}

func dockerItem(host string) Item { return Item{Name: host, Args: []string{"usher"}} }

var qwenItem = Item{Name: "security.auth.selectedType", Args: []string{"openai"}}

// conf is a person's file of a tool, and the data folder.
type conf struct {
	t    *testing.T
	home string
	Target
}

func newPlace(t *testing.T, tool, text string) conf {
	t.Helper()
	dir := t.TempDir()
	p := conf{t, filepath.Join(dir, "home"), Target{Tool: tool, Path: filepath.Join(dir, "conf"), Perm: 0o600}}
	if text != "-" {
		p.write(text)
	}
	return p
}

func (p conf) write(text string) {
	p.t.Helper()
	if err := os.WriteFile(p.Path, []byte(text), 0o640); err != nil {
		p.t.Fatal(err)
	}
}

func (p conf) read() string {
	p.t.Helper()
	text, err := os.ReadFile(p.Path)
	if errors.Is(err, os.ErrNotExist) {
		return "-"
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p conf) setup(items ...Item) Change {
	p.t.Helper()
	c, err := Setup(p.home, p.Target, items, false)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p conf) undo() error {
	p.t.Helper()
	return p.undoOf(func(Item) bool { return true })
}

func (p conf) undoOf(which func(Item) bool) error {
	p.t.Helper()
	records, err := Records(p.home)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, r := range records {
		if _, err := Undo(p.home, r, which, false); err != nil {
			return err
		}
	}
	return nil
}

func (p conf) want(text string) {
	p.t.Helper()
	if diff := cmp.Diff(text, p.read()); diff != "" {
		p.t.Errorf("the file (-want +got):\n%s", diff)
	}
}

const config = `apiVersion: v1
clusters:
- cluster:
    server: https://1.2.3.4
  name: c
contexts:
- context:
    cluster: c
    user: admin # by hand
  name: one
- context:
    cluster: c
    namespace: apps
    user: admin
  name: two
current-context: one
kind: Config
preferences: {}
users:
- name: admin
  user:
    token: secret
`

// goldens are what files become.
var goldens = []struct {
	name, tool   string
	items        []Item
	before, want string // "-": no file
}{
	{"git, no file", "git", []Item{gitItem("github.com", "github")}, "-", "[credential \"https://github.com\"]\n\thelper =\n\thelper = !/bin/usher helper git github\n"},
	{"git, two hosts", "git", []Item{gitItem("a.example", "a"), gitItem("b.example", "a")}, "[user]\n\tname = Ada # me\n",
		"[user]\n\tname = Ada # me\n[credential \"https://a.example\"]\n\thelper =\n\thelper = !/bin/usher helper git a\n[credential \"https://b.example\"]\n\thelper =\n\thelper = !/bin/usher helper git a\n"},
	{"git, no line break at the end", "git", []Item{gitItem("a.example", "a")}, "[user]\n\tname = Ada", "[user]\n\tname = Ada\n[credential \"https://a.example\"]\n\thelper =\n\thelper = !/bin/usher helper git a"},
	{"git, Windows", "git", []Item{gitItem("a.example", "a")}, bom + "[user]\r\nname = Ada\r\n", bom + "[user]\r\nname = Ada\r\n[credential \"https://a.example\"]\r\n\thelper =\r\n\thelper = !/bin/usher helper git a\r\n"},
	{"git, quotes", "git", []Item{{Name: "https://a.example", Args: []string{`!'/o'\''b # x/usher' helper git a`}}}, "", "[credential \"https://a.example\"]\n\thelper =\n\thelper = \"!'/o'\\\\''b # x/usher' helper git a\"\n"},
	{"docker, no file", "docker", []Item{dockerItem("ghcr.io")}, "-", "{\n\t\"credHelpers\": {\n\t\t\"ghcr.io\": \"usher\"\n\t}\n}\n"},
	{"docker, empty object", "docker", []Item{dockerItem("ghcr.io")}, "{}", "{\n\t\"credHelpers\": {\n\t\t\"ghcr.io\": \"usher\"\n\t}\n}"},
	{"docker, others", "docker", []Item{dockerItem("ghcr.io"), dockerItem("b.example")}, "{\n  \"auths\": {},\n  \"credHelpers\": {\n    \"a.example\": \"ecr-login\"\n  }\n}\n",
		"{\n  \"auths\": {},\n  \"credHelpers\": {\n    \"a.example\": \"ecr-login\",\n    \"ghcr.io\": \"usher\",\n    \"b.example\": \"usher\"\n  }\n}\n"},
	{"docker, another helper", "docker", []Item{dockerItem("ghcr.io")}, `{"credHelpers": {"ghcr.io": "pass"}}`, `{"credHelpers": {"ghcr.io": "usher"}}`},
	{"docker, one line", "docker", []Item{dockerItem("ghcr.io"), dockerItem("b.example")}, `{"auths": {"x": {"auth": "c2VjcmV0"}}}`, `{"auths": {"x": {"auth": "c2VjcmV0"}}, "credHelpers": {"ghcr.io": "usher", "b.example": "usher"}}`},
	{"docker, an empty one in one line", "docker", []Item{dockerItem("ghcr.io")}, `{"a": 1, "credHelpers": {}}`, `{"a": 1, "credHelpers": {"ghcr.io": "usher"}}`},
	{"qwen, comments", "qwen", []Item{qwenItem}, "{\n  // mine\n  \"ui\": {\"theme\": \"x\"}, /* and */\n  \"security\": { // here\n    \"auth\": {\"selectedType\": \"qwen-oauth\"}\n  }\n}\n",
		"{\n  // mine\n  \"ui\": {\"theme\": \"x\"}, /* and */\n  \"security\": { // here\n    \"auth\": {\"selectedType\": \"openai\"}\n  }\n}\n"},
	{"qwen, a new branch", "qwen", []Item{qwenItem}, "{\n    \"ui\": {}\n}\n", "{\n    \"ui\": {},\n    \"security\": {\n        \"auth\": {\n            \"selectedType\": \"openai\"\n        }\n    }\n}\n"},
	{"qwen, a comment at the end of the line", "qwen", []Item{qwenItem}, "{\n  \"security\": {\n    \"a\": 1 /* x */ // one\n    // two\n  }\n}\n", "{\n  \"security\": {\n    \"a\": 1, /* x */ // one\n    \"auth\": {\n      \"selectedType\": \"openai\"\n    }\n    // two\n  }\n}\n"},
	{"kubectl, no line break at the end", "kubectl", kubeItems("corp", ""), "kind: Config", "kind: Config\nusers:\n- name: usher-corp\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: /bin/usher\n      args:\n      - helper\n      - kubectl\n      - corp\n      interactiveMode: Never"},
	{"kubectl, no file", "kubectl", kubeItems("corp", ""), "-", `apiVersion: v1
kind: Config
users:
- name: usher-corp
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: /bin/usher
      args:
      - helper
      - kubectl
      - corp
      interactiveMode: Never
`},
	{"kubectl, a context", "kubectl", kubeItems("corp", "one"), config, strings.Replace(strings.Replace(config, "user: admin # by hand", "user: usher-corp # by hand", 1), "users:\n", `users:
- name: usher-corp
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: /bin/usher
      args:
      - helper
      - kubectl
      - corp
      interactiveMode: Never
`, 1)},
	{"kubectl, no users", "kubectl", kubeItems("no", "c")[:1], "users: null\n", "users:\n- name: usher-no\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: /bin/usher\n      args:\n      - helper\n      - kubectl\n      - 'no'\n      interactiveMode: Never\n"},
	{"kubectl, indented", "kubectl", kubeItems("c", "x"), "contexts:\n  - name: x\n    context:\n      cluster: other\nusers:\n  - name: z\n    user: {}\n",
		"contexts:\n  - name: x\n    context:\n      user: usher-c\n      cluster: other\nusers:\n  - name: usher-c\n    user:\n      exec:\n        apiVersion: client.authentication.k8s.io/v1\n        command: /bin/usher\n        args:\n        - helper\n        - kubectl\n        - c\n        interactiveMode: Never\n  - name: z\n    user: {}\n"},
}

func TestSetupAndUndo(t *testing.T) {
	for _, tt := range goldens {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t, tt.tool, tt.before)
			if c := p.setup(tt.items...); c.Nothing() || applyAll(c.Before, c.Edits) != tt.want {
				t.Errorf("the change: %+v", c)
			}
			p.want(tt.want)
			if c := p.setup(tt.items...); !c.Nothing() {
				t.Errorf("the second time: %+v", c)
			}
			p.want(tt.want)
			if err := p.undo(); err != nil {
				t.Fatal(err)
			}
			p.want(tt.before)
			if left, err := Records(p.home); len(left) != 0 || err != nil {
				t.Errorf("left in the journal: %+v, %v", left, err)
			}
		})
	}
}

// A program that died before or after it wrote the file leaves what can be
// undone, and done again.
func TestCrash(t *testing.T) {
	for _, tt := range goldens {
		for _, written := range []bool{false, true} {
			for _, second := range []bool{false, true} {
				p := newPlace(t, tt.tool, tt.before)
				if second { // another program had been set up before
					first := tt.items[0]
					first.Args = append([]string{first.Args[0] + "x"}, first.Args[1:]...)
					p.setup(first)
				}
				f, err := formatOf(tt.tool)
				if err != nil {
					t.Fatal(err)
				}
				j := journalOf(p.home)
				if err := os.MkdirAll(j.dir, 0o700); err != nil {
					t.Fatal(err)
				}
				plan, err := j.plan(f, p.Target, tt.items)
				if err != nil {
					t.Fatal(err)
				}
				if err := j.begin(plan); err != nil {
					t.Fatal(err)
				}
				if written {
					if err := plan.file.write(plan.text, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if err := p.undo(); err != nil {
					t.Errorf("%s, written %v, second %v: %v", tt.name, written, second, err)
				}
				p.want(tt.before)
				p.setup(tt.items...)
				p.want(tt.want)
			}
		}
	}
}

// What the person writes elsewhere stays, and what we wrote goes.
func TestUndoAfterAnEdit(t *testing.T) {
	for _, tt := range []struct {
		name, tool string
		items      []Item
		before     string
		edit       func(string) string
		want       string
	}{
		{"git, before and behind", "git", []Item{gitItem("a.example", "a")}, "[user]\n\tname = Ada", func(s string) string { return "# top\n" + s + onNewLine(s) + "[alias]\n\tst = status\n" }, "# top\n[user]\n\tname = Ada\n[alias]\n\tst = status\n"},
		{"git, in our section", "git", []Item{gitItem("a.example", "a")}, "[user]\n", func(s string) string { return s + "\tusername = ada\n" }, "[user]\n[credential \"https://a.example\"]\n\tusername = ada\n"},
		{"git, above us in our section", "git", []Item{gitItem("a.example", "a")}, "", func(s string) string { return strings.Replace(s, "\n", "\n\tusername = ada\n", 1) }, "[credential \"https://a.example\"]\n\tusername = ada\n"},
		{"git, ours is gone", "git", []Item{gitItem("a.example", "a")}, "[user]\n", func(string) string { return "[user]\n\tname = x\n" }, "[user]\n\tname = x\n"},
		{"docker, written anew", "docker", []Item{dockerItem("ghcr.io"), dockerItem("b.example")}, "{}", func(string) string {
			return "{\n\t\"auths\": {\n\t\t\"x\": {}\n\t},\n\t\"credHelpers\": {\n\t\t\"b.example\": \"usher\",\n\t\t\"ghcr.io\": \"usher\"\n\t}\n}"
		}, "{\n\t\"auths\": {\n\t\t\"x\": {}\n\t}\n}"},
		{"docker, one more helper", "docker", []Item{dockerItem("ghcr.io")}, "{}", func(string) string { return `{"credHelpers":{"ghcr.io":"usher","a":"b"},"z":1}` }, `{"credHelpers":{"a":"b"},"z":1}`},
		{"docker, the old helper comes back", "docker", []Item{dockerItem("ghcr.io")}, `{"credHelpers":{"ghcr.io":"pass"}}`, func(string) string { return `{"credHelpers":{ "ghcr.io" : "usher", "a":"usher"}}` }, `{"credHelpers":{ "ghcr.io" : "pass", "a":"usher"}}`},
		{"qwen, a comment at the end", "qwen", []Item{qwenItem}, "{\n  \"a\": 1 // one\n}\n", func(s string) string { return strings.Replace(s, "security\": {", "security\": {\n    \"x\": 1,", 1) }, "{\n  \"a\": 1, // one\n  \"security\": {\n    \"x\": 1\n  }\n}\n"},
		{"qwen, written anew", "qwen", []Item{qwenItem}, "{\n  \"ui\": {}\n}\n", func(string) string { return `{"$version":4,"security":{"auth":{"selectedType":"openai"}},"ui":{}}` }, `{"$version":4,"ui":{}}`},
		{"qwen, a comma in a comment before", "qwen", []Item{qwenItem}, "{\n}\n", func(string) string {
			return `{"ui":{} /* a, b */, "security":{"auth":{"selectedType":"openai"}}}`
		}, `{"ui":{} /* a, b */}`},
		{"kubectl, written anew", "kubectl", kubeItems("corp", "two"), config, func(s string) string {
			s = strings.Replace(s, " # by hand", "", 1)
			return strings.Replace(s, "      interactiveMode: Never\n", "      env: null\n      interactiveMode: Never\n      provideClusterInfo: false\n", 1)
		}, strings.Replace(config, " # by hand", "", 1)},
		{"kubectl, no line break at the end", "kubectl", kubeItems("corp", ""), "kind: Config", func(s string) string { return s + onNewLine(s) + "preferences: {}\n" }, "kind: Config\npreferences: {}\n"},
		{"kubectl, our user alone", "kubectl", kubeItems("corp", ""), "users: []\n", func(s string) string { return strings.Replace(s, "/bin/usher", "\"/bin/usher\"", 1) + "kind: Config\n" }, "users: []\nkind: Config\n"},
		{"kubectl, another user by now", "kubectl", kubeItems("corp", "one"), config, func(s string) string { return strings.Replace(s, "user: usher-corp", "user: other", 1) }, strings.Replace(config, "user: admin #", "user: other #", 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t, tt.tool, tt.before)
			p.setup(tt.items...)
			p.write(tt.edit(p.read()))
			if err := p.undo(); err != nil {
				t.Fatal(err)
			}
			p.want(tt.want)
		})
	}
}

// What we wrote and somebody changed is nobody's to guess at.
func TestUndoRefusesWhatWasChanged(t *testing.T) {
	for _, tt := range []struct {
		name, tool string
		items      []Item
		before     string
		edit       func(string) string
		line       int
	}{
		{"git", "git", []Item{gitItem("a.example", "a")}, "[user]\n", func(s string) string { return strings.Replace(s, "git a", "git a --host b", 1) }, 4},
		{"docker", "docker", []Item{dockerItem("ghcr.io")}, "{\n}", func(s string) string { return strings.Replace(s, `"usher"`, `"pass"`, 1) }, 3},
		{"qwen", "qwen", []Item{qwenItem}, "{}", func(s string) string { return strings.Replace(s, `"openai"`, `"gemini"`, 1) }, 4},
		{"kubectl", "kubectl", kubeItems("corp", ""), config, func(s string) string { return strings.Replace(s, "/bin/usher", "/opt/usher", 1) }, 20},
		{"kubectl, an argument more", "kubectl", kubeItems("corp", ""), config, func(s string) string { return strings.Replace(s, "      - corp\n", "      - corp\n      - x\n", 1) }, 20},
		{"it does not parse", "docker", []Item{dockerItem("ghcr.io")}, "{}", func(s string) string { return s + "{" }, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t, tt.tool, tt.before)
			p.setup(tt.items...)
			edited := tt.edit(p.read())
			p.write(edited)
			err := p.undo()
			var e *Error
			if !errors.As(err, &e) || e.Line != tt.line || e.Path != p.Path || errors.Is(err, ErrChanged) == (tt.name == "it does not parse") {
				t.Errorf("got %#v", err)
			}
			p.want(edited)
			if _, err := Setup(p.home, p.Target, tt.items, false); !errors.As(err, &e) || e.Line != tt.line {
				t.Errorf("setup again: %v", err)
			}
			p.want(edited)
			p.write(p.read() + " ") // the journal is still there
			if left, _ := Records(p.home); len(left) != 1 {
				t.Errorf("the journal has %d records", len(left))
			}
		})
	}
}
