package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func (i *installation) providers() string {
	return filepath.Join(filepath.Dir(i.env["USHER_CONFIG"]), "providers")
}

func TestProviderOverridesOnlyWhatIsGiven(t *testing.T) {
	i := install(t)
	i.must("provider", "add", "github", "--client-id", "mine", "--scope", "repo")
	text, err := os.ReadFile(filepath.Join(i.providers(), "github.toml"))
	if err != nil {
		t.Fatal(err)
	}
	var settings []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			settings = append(settings, line)
		}
	}
	if diff := cmp.Diff([]string{"client_id = 'mine'", "scopes = ['repo']"}, settings); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}

	var d providerDetail
	if err := json.Unmarshal([]byte(i.must("provider", "show", "github", "--json")), &d); err != nil {
		t.Fatal(err)
	}
	from := map[string]string{}
	for _, s := range d.Settings {
		from[s.Key] = s.Source
	}
	for key, want := range map[string]string{"client_id": "yours", "scopes": "yours", "token_endpoint": "built in", "dialect": "built in"} {
		if from[key] != want {
			t.Errorf("%s is marked %q, want %q", key, from[key], want)
		}
	}
	if !d.Ready || d.Provider.Name != "github" || d.Source != "overridden" {
		t.Errorf("summary: %+v", d.providerSummary)
	}
	if table := i.must("provider", "show", "github"); !strings.Contains(table, "client_id                      yours     mine") {
		t.Errorf("table:\n%s", table)
	}

	if r := i.run("provider", "remove", "github"); r.code != 0 || !strings.Contains(r.err, "what comes with usher stays") {
		t.Errorf("remove: exit %d, %q", r.code, r.err)
	}
	if err := json.Unmarshal([]byte(i.must("provider", "show", "github", "--json")), &d); err != nil || d.Ready || d.Source != "built in" {
		t.Errorf("after the removal: %+v, %v", d.providerSummary, err)
	}
}

func TestProviderAddListRemove(t *testing.T) {
	i := install(t)
	add := []string{"provider", "add", "mine", "--issuer", "https://id.example.com", "--client-id", "a", "--title", "Mine"}
	i.must(add...)
	if r := i.run(add...); r.code != 1 || !strings.Contains(r.err, "hint: --force replaces it") {
		t.Errorf("again: exit %d, %q", r.code, r.err)
	}
	i.must(append(add, "--force", "--scope", "x")...)
	var all []providerSummary
	if err := json.Unmarshal([]byte(i.must("provider", "list", "--json")), &all); err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{}
	for _, s := range all {
		sources[s.Name] = s.Source
	}
	want := map[string]string{"mine": "yours", "github": "built in", "qwen-oauth": "built in", "qwen-oauth-staging": "built in", "sandbox": "built in"}
	if diff := cmp.Diff(want, sources); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if table := i.must("provider", "list"); !strings.Contains(table, "github              needs client_id  built in  GitHub\n") {
		t.Errorf("table:\n%s", table)
	}
	write(t, filepath.Join(i.providers(), "broken.toml"), "nonsense = true\n")
	if r := i.run("provider", "list"); r.code != 0 || !strings.Contains(r.err, "broken.toml") {
		t.Errorf("with a broken file: exit %d, %q", r.code, r.err)
	}
	if r := i.run("provider", "remove", "mine", "--json"); r.code != 0 || r.out != `{"name":"mine","restored":false}`+"\n" {
		t.Errorf("remove: exit %d, %q", r.code, r.out)
	}
	if r := i.run("provider", "remove", "mine"); r.code != 2 || !strings.Contains(r.err, `unknown provider "mine"`) {
		t.Errorf("removed twice: exit %d, %q", r.code, r.err)
	}
}

func TestClientSecretFileIsMadeAbsolute(t *testing.T) {
	i := install(t)
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("secret", []byte("hush-hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod("secret", 0o644); err != nil {
		t.Fatal(err)
	}
	r := i.run("provider", "add", "mine", "--issuer", "https://id.example.com", "--client-id", "a", "--client-secret-file", "secret", "--auth-style", "post")
	if r.code != 0 || !strings.Contains(r.err, "usher: warning: ") {
		t.Errorf("exit %d, %q, want a warning that others may read the file", r.code, r.err)
	}
	r = i.run("provider", "show", "mine")
	if !strings.Contains(r.out, filepath.Join(dir, "secret")) || strings.Contains(r.out+r.err, "hush") {
		t.Errorf("show:\n%s%s", r.out, r.err)
	}
}

// The sandbox listens where its preset points.
func TestSandboxPresetIsTheDefaultAddress(t *testing.T) {
	i := install(t)
	a := &app{getenv: func(name string) string { return i.env[name] }}
	dirs, err := a.dirs()
	if err != nil {
		t.Fatal(err)
	}
	p, err := catalogue(dirs).Lookup("sandbox")
	if err != nil {
		t.Fatal(err)
	}
	if listen := a.sandboxCommand().Flags().Lookup("listen").DefValue; p.Issuer != "http://"+listen {
		t.Errorf("the preset points at %s, the command listens on %s", p.Issuer, listen)
	}
}
