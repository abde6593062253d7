//go:build unix

package scripttest

import (
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemas are those in docs/schemas: what any command prints as JSON is held
// against them.
var schemas = sync.OnceValues(loadSchemas)

type schemaSet struct {
	named map[string]*jsonschema.Schema

	mu   sync.Mutex
	seen map[string]bool
}

func loadSchemas() (*schemaSet, error) {
	files, err := filepath.Glob("../../../docs/schemas/*.json")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no schemas in docs/schemas: %v", err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.AssertVocabs()
	s := &schemaSet{named: map[string]*jsonschema.Schema{}, seen: map[string]bool{}}
	for _, file := range files {
		schema, err := c.Compile(file)
		if err != nil {
			return nil, err
		}
		s.named[strings.TrimSuffix(filepath.Base(file), ".json")] = schema
	}
	return s, nil
}

// partsOfOthers are the schemas that no command prints by themselves.
var partsOfOthers = []string{"failure", "login"}

// schemaOf names the schema of what the command line args prints; empty for one
// that speaks another program's protocol.
func schemaOf(args []string) (name string, err error) {
	words := slices.Clone(args)
	if i := slices.Index(words, "--expect"); i >= 0 { // whose value is no KEY
		words = slices.Delete(words, i, min(i+2, len(words)))
	}
	words = slices.DeleteFunc(words, func(a string) bool { return strings.HasPrefix(a, "-") })
	first, second := word(words, 0), word(words, 1)
	switch first {
	case "login":
		if second == "list" {
			return "login-list", nil
		}
		return "login-line", nil
	case "status":
		if second == "" {
			return "status", nil
		}
		return "credential", nil
	case "token":
		if slices.Contains(args, "exec-credential") || slices.Contains(args, "--format=exec-credential") {
			return "exec-credential", nil
		}
		return "token", nil
	case "helper":
		return map[string]string{"kubectl": "exec-credential"}[second], nil
	case "provider":
		return map[string]string{"add": "provider", "list": "provider-list", "show": "provider-detail", "remove": "provider-removed"}[second], nil
	}
	known := map[string]string{
		"logout": "logout", "import": "credential", "setup": "setup", "serve": "serve", "sandbox": "sandbox",
		"version": "version", "watch": "event",
		"exec": "", "demo": "", // what they run prints it
		"completion": "", // braces of a shell
	}
	name, ok := known[first]
	if !ok {
		return "", fmt.Errorf("%q prints JSON, and no schema is said to be its own", strings.Join(args, " "))
	}
	return name, nil
}

func word(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return ""
}

// check holds what a command printed against its schema, line by line.
func (s *schemaSet) check(args []string, stdout string) (problems []string) {
	for line := range strings.Lines(stdout) {
		if !strings.HasPrefix(line, "{") && !strings.HasPrefix(line, "[") || !strings.HasSuffix(line, "\n") {
			continue
		}
		name, err := schemaOf(args)
		if err == nil && name != "" {
			err = s.checkLine(name, line)
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("usher %s printed %s\t%v", strings.Join(args, " "), line, err))
		}
	}
	return problems
}

func (s *schemaSet) checkLine(name, line string) error {
	schema := s.named[name]
	if schema == nil {
		return fmt.Errorf("there is no docs/schemas/%s.json", name)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
	if err != nil {
		return err
	}
	if err := schema.Validate(value); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[name] = true
	return nil
}

// unseen are the schemas that nothing was held against.
func (s *schemaSet) unseen() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.named {
		if !s.seen[name] && !slices.Contains(partsOfOthers, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// wantAllSeen fails, at the end of all scripts, for a schema that is of no use.
func (s *schemaSet) wantAllSeen(t *testing.T) {
	if f := flag.Lookup("test.run"); f.Value.String() != "" || t.Failed() {
		return // some were left out
	}
	if names := s.unseen(); names != nil {
		t.Errorf("no script prints what these of docs/schemas describe: %v", names)
	}
}

// checkSchemas checks what the processes of a run printed.
func (w *world) checkSchemas() (problems []string) {
	set, err := schemas()
	if err != nil {
		return []string{err.Error()}
	}
	for _, p := range w.procs {
		problems = append(problems, set.check(p.args, p.stdout.String())...)
	}
	return problems
}

func TestSchemasBite(t *testing.T) {
	set, err := loadSchemas()
	if err != nil {
		t.Fatal(err)
	}
	const login = `"id":"1","key":"k","provider":"k","account":"default","method":"device","created_at":"2026-01-02T03:04:05Z"`
	const pending = login + `,"status":"pending","expires_at":"2026-01-02T03:04:05Z"`
	const code = `,"user_code":"A","verification_uri":"https://x.example"`
	line := func(event, rest string) string {
		return `{"event":"` + event + `","time":"2026-01-02T03:04:05Z",` + rest + "}\n"
	}
	credential := `{"key":"k","provider":"k","account":"default","kind":"refreshable","state":"active","generation":1}`
	for _, c := range []struct {
		command, stdout string
		problems        int
	}{
		{"login k --json", line("login.started", pending+code), 0},
		{"login k --json", line("login.started", pending), 1},
		{"login k --json", line("login.started", pending+code+`,"refresh_token":"x"`), 1},
		{"login k --json", line("login.trouble", pending+code), 1},
		{"login k --json", line("login.ended", pending+code), 1},
		{"login k --json", line("login.denied", pending+code), 1},
		{"login k --json", line("login.pending", pending+code) + line("login.pending", pending), 0},
		{"login wait k --json", line("login.denied", login+`,"status":"denied","ended_at":"2026-01-02T03:04:05Z"`), 1},
		{"login wait k --json", line("login.denied", login+`,"status":"denied","ended_at":"2026-01-02T03:04:05Z","error":{"code":"access_denied"}`), 0},
		{"login wait k --json", line("login.denied", login+`,"status":"denied","ended_at":"yesterday","error":{"code":"access_denied"}`), 1},
		{"login list --json", "[{" + pending + "}]\n", 0},
		{"login list --json", "[{" + pending + code + "}]\n", 1},
		{"login k --no-wait", "id: 1\n", 0},
		{"status --json", "[" + credential + "]\n", 0},
		{"status k --json", credential + "\n", 0},
		{"status k --json", "[" + credential + "]\n", 1},
		{"token k --json", `{"access_token":"x","token_type":"Bearer"}` + "\n", 0},
		{"token k --json", `{"access_token":"x","token_type":"Bearer","refresh_token":"y"}` + "\n", 1},
		{"helper docker get", `{"Secret":"x"}` + "\n", 0},
		{"dance --json", "{}\n", 1},
	} {
		if got := set.check(strings.Fields(c.command), c.stdout); len(got) != c.problems {
			t.Errorf("%s: %s: got %d problems, want %d: %q", c.command, c.stdout, len(got), c.problems, got)
		}
	}
	if got := set.unseen(); !slices.Contains(got, "setup") || slices.Contains(got, "token") || slices.Contains(got, "failure") {
		t.Errorf("unseen: %v", got)
	}
}
