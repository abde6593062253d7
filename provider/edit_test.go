package provider_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/provider"
)

func TestAdd(t *testing.T) {
	secretFile := filepath.Join(t.TempDir(), "secret")
	write(t, secretFile, "hush\n")
	dir := filepath.Join(t.TempDir(), "conf", "providers")
	c := provider.Open(dir, nil)
	spec := provider.Spec{Name: "mine", Settings: provider.Settings{
		Title:            `It's "mine"`,
		Issuer:           "https://id.example.com",
		ClientID:         "x",
		ClientSecretFile: secretFile,
		AuthStyle:        "post",
		Scopes:           []string{"openid", "offline_access"},
		PollInterval:     7,
	}}
	path, err := c.Add(spec)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "mine.toml"); path != want {
		t.Errorf("path: got %s, want %s", path, want)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `# A provider of usher. A change takes effect at the next login; see: usher provider show mine

title = "It's \"mine\""
issuer = 'https://id.example.com'
client_id = 'x'
client_secret_file = '` + secretFile + `'
auth_style = 'post'
scopes = ['openid', 'offline_access']
poll_interval = 7
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	if runtime.GOOS != "windows" {
		for path, want := range map[string]os.FileMode{path: 0o600, dir: 0o700} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("mode of %s: got %v, %v, want %v", path, info.Mode(), err, want)
			}
		}
	}

	// This catalogue and any other one read back what was meant.
	for _, c := range []*provider.Catalogue{c, provider.Open(dir, nil)} {
		p := lookup(t, c, "mine")
		if p.Title != spec.Settings.Title || p.PollInterval.Seconds() != 7 || !cmp.Equal(p.Scopes, spec.Settings.Scopes) {
			t.Errorf("Lookup: got %+v", p)
		}
		if s, err := p.ClientSecret(); err != nil || s.Reveal() != "hush" {
			t.Errorf("ClientSecret: got %v, %v", s, err)
		}
	}
}

func TestAddOverridesAPreset(t *testing.T) {
	c, _ := open(t, nil)
	if _, err := c.Add(provider.Spec{Name: "github", Settings: provider.Settings{ClientID: "mine"}}); err != nil {
		t.Fatal(err)
	}
	p := lookup(t, c, "github")
	if p.ClientID != "mine" || p.Check() != nil || !p.Preset || p.Endpoints.Token != "https://github.com/login/oauth/access_token" {
		t.Errorf("got %+v", p)
	}
	if diff := cmp.Diff([]string{"client_id"}, p.Overridden); diff != "" {
		t.Errorf("Overridden (-want +got):\n%s", diff)
	}
	// An override may still be incomplete.
	if _, err := c.Add(provider.Spec{Name: "hub2", Settings: provider.Settings{Base: "github", Title: "Hub"}}); err != nil {
		t.Errorf("Add with a base: %v", err)
	}
}

func TestAddKeepsWhatExists(t *testing.T) {
	c, dir := open(t, map[string]string{"github.toml": first, "bad.toml": "not TOML"})
	for _, name := range []string{"github", "bad"} {
		spec := provider.Spec{Name: name, Settings: provider.Settings{Issuer: "https://id.example.com", ClientID: "new"}}
		path := filepath.Join(dir, name+".toml")
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Add(spec); !errors.Is(err, provider.ErrExists) || !strings.Contains(err.Error(), path) {
			t.Errorf("Add(%s): got %v, want ErrExists with the path", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Errorf("%s: got %q, %v, want it untouched", path, after, err)
		}
		spec.Replace = true
		if _, err := c.Add(spec); err != nil {
			t.Errorf("Add(%s) with Replace: %v", name, err)
		}
		if got := lookup(t, c, name).ClientID; got != "new" {
			t.Errorf("client id of %s after Replace: got %q", name, got)
		}
	}
}

func TestAddChecksFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "providers")
	c := provider.Open(dir, nil)
	for _, test := range []struct {
		name, want string
		spec       provider.Spec
	}{
		{"nothing", "nothing is given", provider.Spec{Name: "sandbox"}},
		{"no client id", "has no client_id", provider.Spec{Name: "a", Settings: provider.Settings{Issuer: "https://a.example"}}},
		{"no place", "issuer: missing", provider.Spec{Name: "a", Settings: provider.Settings{ClientID: "x"}}},
		{"half a place", "token_endpoint: missing", provider.Spec{Name: "a", Settings: provider.Settings{ClientID: "x", DeviceAuthorizationEndpoint: "https://a.example/d"}}},
		{"http", "https", provider.Spec{Name: "a", Settings: provider.Settings{ClientID: "x", Issuer: "http://a.example"}}},
		{"no secret file", "no such file", provider.Spec{Name: "a", Settings: provider.Settings{ClientID: "x", Issuer: "https://a.example", ClientSecretFile: filepath.Join(dir, "none")}}},
		{"base", "there is no preset", provider.Spec{Name: "a", Settings: provider.Settings{ClientID: "x", Base: "b"}}},
		{"dialect", "dialect", provider.Spec{Name: "sandbox", Settings: provider.Settings{Dialect: "x"}}},
		{"line break", "client_id", provider.Spec{Name: "sandbox", Settings: provider.Settings{ClientID: "x\nissuer = 'https://evil.example'"}}},
	} {
		if _, err := c.Add(test.spec); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q in it", test.name, err, test.want)
		}
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory was made for nothing: %v", err)
	}
}

func TestRemove(t *testing.T) {
	c, dir := open(t, map[string]string{"github.toml": first, "mine.toml": own, "bad.toml": "not TOML", "sandbox.toml": "not TOML"})
	c.List()
	for _, test := range []struct {
		name     string
		restored bool
	}{{"github", true}, {"mine", false}, {"bad", false}, {"sandbox", true}} {
		restored, err := c.Remove(test.name)
		if err != nil || restored != test.restored {
			t.Errorf("Remove(%s): got %v, %v, want %v", test.name, restored, err, test.restored)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left in the directory: %v, %v", entries, err)
	}
	if got := c.Problems(); got != nil {
		t.Errorf("Problems: got %v", got)
	}
	wantUnknown(t, c, "mine")
	if got := lookup(t, c, "github"); got.ClientID != "" || got.Overridden != nil {
		t.Errorf("github after Remove: got %+v, want the preset", got)
	}

	if _, err := c.Remove("github"); !errors.Is(err, provider.ErrPreset) {
		t.Errorf("Remove of a preset: got %v, want ErrPreset", err)
	}
	if _, err := c.Remove("mien"); !errors.Is(err, provider.ErrUnknown) {
		t.Errorf("Remove of nothing: got %v, want ErrUnknown", err)
	}
}
