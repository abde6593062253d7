package provider_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/internal/conffile"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/provider"
)

func TestLookupWithoutADirectory(t *testing.T) {
	c := provider.Open(filepath.Join(t.TempDir(), "absent"), nil)
	lookup(t, c, "sandbox")
	wantUnknown(t, c, "mine")
	if got := c.Problems(); got != nil {
		t.Errorf("Problems: got %v", got)
	}
}

func TestFilesOfTheirOwn(t *testing.T) {
	c, dir := open(t, map[string]string{
		"mine.toml": own,
		"full.toml": `
			title = "Full"
			device_authorization_endpoint = "https://id.example.com/device"
			token_endpoint = "https://id.example.com/token"
			revocation_endpoint = "https://id.example.com/revoke"
			client_id = "x"
			client_secret_file = "` + filepath.ToSlash(filepath.Join(t.TempDir(), "secret")) + `"
			auth_style = "post"
			redirect_uris = ["https://app.example.com/cb"]
			scopes = ["a", "b:c"]
			dialect = "github"
			resource = "https://api.example.com/"
			poll_interval = 10
			base_url = "http://localhost:8080"
		`,
		"notes.txt":     "not a provider",
		".hidden.toml":  "not = 'a provider'",
		"mine.toml.bak": "not a provider",
	})
	if diff := cmp.Diff([]string{"full", "github", "mine", "qwen-oauth", "qwen-oauth-staging", "sandbox"}, names(c.List())); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if got := c.Problems(); got != nil {
		t.Errorf("Problems: got %v", got)
	}
	want := provider.Provider{
		Name: "mine", Title: "mine", Path: filepath.Join(dir, "mine.toml"),
		Issuer: "https://id.example.com", Endpoints: oauth.Endpoints{Issuer: "https://id.example.com"},
		ClientID: "mine", Dialect: oauth.DialectStandard, TokenEnv: []string{"MINE_TOKEN"},
	}
	if diff := cmp.Diff(want, lookup(t, c, "mine")); diff != "" {
		t.Errorf("mine (-want +got):\n%s", diff)
	}
	full := lookup(t, c, "full")
	if full.AuthStyle != oauth.AuthPost || full.PollInterval.Seconds() != 10 || full.Resource != "https://api.example.com/" ||
		!slices.Equal(full.RedirectURIs, []string{"https://app.example.com/cb"}) ||
		full.Endpoints.Revocation != "https://id.example.com/revoke" {
		t.Errorf("full: got %+v", full)
	}
}

// TestOverrides shows what a file changes of the preset it builds on.
func TestOverrides(t *testing.T) {
	for _, test := range []struct {
		name, provider, text string
		overridden           []string
		want                 func(preset provider.Provider) provider.Provider
	}{
		{"one field", "github", `client_id = "mine"`, []string{"client_id"},
			func(p provider.Provider) provider.Provider {
				p.ClientID = "mine"
				return p
			}},
		{"scopes, in the order of the fields", "github", "scopes = ['repo']\nclient_id = 'mine'", []string{"client_id", "scopes"},
			func(p provider.Provider) provider.Provider {
				p.ClientID, p.Scopes = "mine", []string{"repo"}
				return p
			}},
		{"no scopes", "sandbox", "scopes = []", []string{"scopes"},
			func(p provider.Provider) provider.Provider {
				p.Scopes = []string{}
				return p
			}},
		{"nothing", "sandbox", "", nil,
			func(p provider.Provider) provider.Provider { return p }},
		{"one endpoint, the others stay", "qwen-oauth", `revocation_endpoint = "https://chat.qwen.ai/revoke"`, []string{"revocation_endpoint"},
			func(p provider.Provider) provider.Provider {
				p.Endpoints.Revocation = "https://chat.qwen.ai/revoke"
				return p
			}},
		{"an issuer replaces the endpoints and where tokens go", "qwen-oauth", `issuer = "http://127.0.0.1:1234"`, []string{"issuer"},
			func(p provider.Provider) provider.Provider {
				p.Issuer, p.BaseURL = "http://127.0.0.1:1234", ""
				p.Endpoints = oauth.Endpoints{Issuer: p.Issuer}
				p.TokenEnv, p.BaseURLEnv = []string{"QWEN_OAUTH_TOKEN"}, nil
				return p
			}},
		{"an issuer takes back which hosts get the token", "github", `issuer = "https://git.example.com"`, []string{"issuer"},
			func(p provider.Provider) provider.Provider {
				p.Issuer, p.BaseURL = "https://git.example.com", ""
				p.Endpoints = oauth.Endpoints{Issuer: p.Issuer}
				p.TokenEnv, p.GitHosts, p.DockerHosts = []string{"GITHUB_TOKEN"}, nil, nil
				return p
			}},
		{"no variables and no hosts", "github", "token_env = []\ngit_hosts = []", []string{"token_env", "git_hosts"},
			func(p provider.Provider) provider.Provider {
				p.TokenEnv, p.GitHosts = []string{}, []string{}
				return p
			}},
		{"endpoints replace an issuer", "sandbox",
			"device_authorization_endpoint = 'https://a.example/d'\ntoken_endpoint = 'https://a.example/t'",
			[]string{"device_authorization_endpoint", "token_endpoint"},
			func(p provider.Provider) provider.Provider {
				p.Issuer, p.BaseURL = "", ""
				p.Endpoints = oauth.Endpoints{DeviceAuthorization: "https://a.example/d", Token: "https://a.example/t"}
				return p
			}},
		{"one endpoint beside an issuer", "sandbox", `token_endpoint = "https://a.example/t"`, []string{"token_endpoint"},
			func(p provider.Provider) provider.Provider {
				p.Endpoints.Token = "https://a.example/t"
				return p
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bare, _ := open(t, nil)
			c, dir := open(t, map[string]string{test.provider + ".toml": test.text})
			want := test.want(lookup(t, bare, test.provider))
			want.Overridden = test.overridden
			want.Base, want.Path = test.provider, filepath.Join(dir, test.provider+".toml")
			got := lookup(t, c, test.provider)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBase(t *testing.T) {
	c, _ := open(t, map[string]string{"work.toml": "base = 'github'\nclient_id = 'mine'\n"})
	got, preset := lookup(t, c, "work"), lookup(t, c, "github")
	if got.Base != "github" || got.Preset || got.Endpoints != preset.Endpoints || got.Title != preset.Title {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff([]string{"client_id"}, got.Overridden); diff != "" {
		t.Errorf("Overridden (-want +got):\n%s", diff)
	}
	if preset.ClientID != "" || preset.Overridden != nil {
		t.Errorf("the preset changed: %+v", preset)
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct {
		name, file, text string
		want             conffile.Error
	}{
		{"unknown key", "mine", own + "scope = 'a'\n", conffile.Error{Line: 3, Column: 1, Key: "scope",
			Problem: "unknown key; known are base, title, note, issuer, device_authorization_endpoint, authorization_endpoint, token_endpoint, revocation_endpoint, userinfo_endpoint, client_id, client_id_help, client_secret_file, auth_style, redirect_uris, scopes, dialect, resource, poll_interval, keep_alive, share_with, tell_context, base_url, base_url_rule, token_env, base_url_env, git_hosts, git_username, docker_hosts, docker_username"}},
		{"wrong type", "mine", "issuer = 3", conffile.Error{Line: 1, Column: 10, Key: "issuer", Problem: "must be a string"}},
		{"scopes as a string", "mine", own + "scopes = 'a b'", conffile.Error{Line: 3, Column: 10, Key: "scopes", Problem: "must be an array, each element a string"}},
		{"no TOML", "mine", "issuer: x", conffile.Error{Line: 1, Column: 7, Problem: "*"}},
		{"empty", "mine", "", conffile.Error{Key: "issuer", Problem: "missing; give it, or device_authorization_endpoint and token_endpoint"}},
		{"no token endpoint", "mine", "device_authorization_endpoint = 'https://a.example/d'", conffile.Error{Key: "token_endpoint", Problem: "missing, and there is no issuer to discover it at"}},
		{"no device endpoint", "mine", "token_endpoint = 'https://a.example/t'", conffile.Error{Key: "device_authorization_endpoint", Problem: "missing, and there is no issuer to discover it at"}},
		{"no token endpoint for a code", "mine", "authorization_endpoint = 'https://a.example/a'", conffile.Error{Key: "token_endpoint", Problem: "missing, and there is no issuer to discover it at"}},
		{"http issuer", "mine", "issuer = 'http://id.example.com'", conffile.Error{Key: "issuer", Problem: "link must begin with https:// (http is for loopback hosts)"}},
		{"loopback look-alike", "mine", "issuer = 'http://127.0.0.1.example.com'", conffile.Error{Key: "issuer", Problem: "link must begin with https:// (http is for loopback hosts)"}},
		{"issuer with query", "mine", "issuer = 'https://id.example.com/?a'", conffile.Error{Key: "issuer", Problem: "link has a query"}},
		{"fragment", "mine", own + "token_endpoint = 'https://id.example.com/#a'", conffile.Error{Key: "token_endpoint", Problem: "link has a fragment"}},
		{"userinfo", "mine", own + "token_endpoint = 'https://a:b@id.example.com/'", conffile.Error{Key: "token_endpoint", Problem: "link carries user information"}},
		{"override to http", "github", "token_endpoint = 'http://github.com/t'", conffile.Error{Key: "token_endpoint", Problem: "link must begin with https:// (http is for loopback hosts)"}},
		{"base_url over http", "mine", own + "base_url = 'http://api.example.com'", conffile.Error{Key: "base_url", Problem: "link must begin with https:// (http is for loopback hosts)"}},
		{"base_url_rule", "mine", own + "base_url_rule = 'x'", conffile.Error{Key: "base_url_rule", Problem: `unknown rule "x": want resource_url, or none`}},
		{"client id with a line break", "mine", "issuer = 'https://a.example'\nclient_id = \"a\\nb\"", conffile.Error{Key: "client_id", Problem: "must be at most 1024 printable ASCII characters without spaces around them"}},
		{"client id from a clipboard", "mine", "issuer = 'https://a.example'\nclient_id = 'ab '", conffile.Error{Key: "client_id", Problem: "must be at most 1024 printable ASCII characters without spaces around them"}},
		{"secret in the file", "mine", own + "client_secret = 'hush'", conffile.Error{Line: 3, Column: 1, Key: "client_secret", Problem: "*"}},
		{"relative secret file", "mine", own + "client_secret_file = 'secret'", conffile.Error{Key: "client_secret_file", Problem: "must be an absolute path"}},
		{"auth style", "mine", own + "auth_style = 'digest'", conffile.Error{Key: "auth_style", Problem: `unknown auth style "digest": want none, post or basic`}},
		{"auth style without secret", "mine", own + "auth_style = 'basic'", conffile.Error{Key: "auth_style", Problem: "basic needs client_secret_file"}},
		{"dialect", "mine", own + "dialect = 'klingon'", conffile.Error{Key: "dialect", Problem: "*"}},
		{"redirect URI over http", "mine", own + "redirect_uris = ['https://app.example.com/cb', 'http://app.example.com/cb']", conffile.Error{Key: "redirect_uris", Problem: `"http://app.example.com/cb" is no redirect URI: want an https URL, or http to a loopback address, without a fragment`}},
		{"redirect URI with a fragment", "mine", own + "redirect_uris = ['https://app.example.com/#cb']", conffile.Error{Key: "redirect_uris", Problem: `"https://app.example.com/#cb" is no redirect URI: want an https URL, or http to a loopback address, without a fragment`}},
		{"redirect URI twice", "mine", own + "redirect_uris = ['http://127.0.0.1:9/', 'http://127.0.0.1:9/']", conffile.Error{Key: "redirect_uris", Problem: `"http://127.0.0.1:9/" is there twice`}},
		{"two scopes in one", "mine", own + "scopes = ['a b']", conffile.Error{Key: "scopes", Problem: `"a b" is no scope: want printable ASCII without spaces, quotes and backslashes, one scope an element`}},
		{"scope twice", "mine", own + "scopes = ['a', 'a']", conffile.Error{Key: "scopes", Problem: `"a" is there twice`}},
		{"resource", "mine", own + "resource = 'api'", conffile.Error{Key: "resource", Problem: "must be an absolute URI without a fragment"}},
		{"poll interval", "mine", own + "poll_interval = -1", conffile.Error{Key: "poll_interval", Problem: "must be 1 to 3600 seconds"}},
		{"poll interval too long", "mine", own + "poll_interval = 3601", conffile.Error{Key: "poll_interval", Problem: "must be 1 to 3600 seconds"}},
		{"keep alive without a unit", "mine", own + "keep_alive = '90'", conffile.Error{Key: "keep_alive", Problem: "must be a whole number and d, h or m, such as 90d, up to 3650d"}},
		{"keep alive of nothing", "mine", own + "keep_alive = '0d'", conffile.Error{Key: "keep_alive", Problem: "must be a whole number and d, h or m, such as 90d, up to 3650d"}},
		{"keep alive in two units", "mine", own + "keep_alive = '1d12h'", conffile.Error{Key: "keep_alive", Problem: "must be a whole number and d, h or m, such as 90d, up to 3650d"}},
		{"keep alive for ever", "mine", own + "keep_alive = '4294967295d'", conffile.Error{Key: "keep_alive", Problem: "must be a whole number and d, h or m, such as 90d, up to 3650d"}},
		{"keep alive as a number", "mine", own + "keep_alive = 90", conffile.Error{Line: 3, Column: 14, Key: "keep_alive", Problem: "must be a string"}},
		{"no tool's name", "mine", own + "share_with = 'a b'", conffile.Error{Key: "share_with", Problem: "must be the name of a tool, or none"}},
		{"variable with a space", "mine", own + "token_env = ['A B']", conffile.Error{Key: "token_env", Problem: `"A B" is no name of a variable: want letters, digits and _, and no digit first`}},
		{"variable that the loader obeys", "mine", own + "token_env = ['LD_PRELOAD']", conffile.Error{Key: "token_env", Problem: "LD_PRELOAD means something to other programs; choose another variable"}},
		{"variable twice", "mine", own + "token_env = ['A', 'A']", conffile.Error{Key: "token_env", Problem: "A is there twice"}},
		{"variable of two uses", "mine", own + "token_env = ['A']\nbase_url_env = ['A']", conffile.Error{Key: "base_url_env", Problem: "A is in token_env already"}},
		{"wildcard host", "mine", own + "git_hosts = ['*.example.com']", conffile.Error{Key: "git_hosts", Problem: `"*.example.com" is no host: want a name in lower case, or an address, with :port where there is one, and no wildcard`}},
		{"registry twice", "mine", own + "docker_hosts = ['a.example', 'a.example']", conffile.Error{Key: "docker_hosts", Problem: "a.example is there twice"}},
		{"user name with a colon", "mine", own + "git_username = 'a:b'", conffile.Error{Key: "git_username", Problem: "must be at most 255 printable ASCII characters without spaces and colons"}},
		{"user name with a line break", "mine", own + "docker_username = \"a\\nb\"", conffile.Error{Key: "docker_username", Problem: "must be at most 255 printable ASCII characters without spaces and colons"}},
		{"escape in the title", "mine", own + `title = "\u001b[2J"`, conffile.Error{Key: "title", Problem: "must be at most 400 plain characters on one line"}},
		{"unknown base", "mine", "base = 'gitlab'", conffile.Error{Key: "base", Problem: `there is no preset "gitlab"`}},
		{"base of a user's", "mine", "base = 'mine'", conffile.Error{Key: "base", Problem: `there is no preset "mine"`}},
		{"base of a preset's name", "github", "base = 'sandbox'", conffile.Error{Key: "base", Problem: "the preset github has this name already and is its base"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, dir := open(t, map[string]string{test.file + ".toml": test.text})
			p, err := c.Lookup(test.file)
			var got *conffile.Error
			if !errors.As(err, &got) {
				t.Fatalf("Lookup: got %+v, %v, want a *conffile.Error", p, err)
			}
			test.want.Path = filepath.Join(dir, test.file+".toml")
			if test.want.Problem == "*" { // in the decoder's or another package's words
				test.want.Problem = got.Problem
			}
			if diff := cmp.Diff(test.want, *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the error shows a value: %v", err)
			}
			// What cannot be read is not listed, and not replaced by a preset.
			for _, p := range c.List() {
				if p.Name == test.file {
					t.Errorf("List has %+v", p)
				}
			}
			if got := c.Problems(); len(got) != 1 || got[0].Error() != err.Error() {
				t.Errorf("Problems: got %v, want the error of Lookup", got)
			}
		})
	}
}

func TestSuggestions(t *testing.T) {
	c, _ := open(t, map[string]string{"mine.toml": own})
	for _, test := range []struct{ name, want string }{
		{"githib", "github"},
		{"gihtub", "github"},
		{"gitub", "github"},
		{"GitHub", "github"},
		{"github.", "github"},
		{"mien", "mine"},
		{"sand", "sandbox"},
		{"qwen-auth", "qwen-oauth"},
		{"qwen", ""}, // two begin with it
		{"gitlab", ""},
		{"x", ""},
		{"", ""},
		{strings.Repeat("github", 1000), ""},
	} {
		_, err := c.Lookup(test.name)
		var got *provider.UnknownError
		if !errors.As(err, &got) {
			t.Fatalf("Lookup(%.20q): got %v, want an *UnknownError", test.name, err)
		}
		want := provider.UnknownError{Name: test.name, Suggestion: test.want,
			Known: []string{"github", "mine", "qwen-oauth", "qwen-oauth-staging", "sandbox"}}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("Lookup(%.20q) (-want +got):\n%s", test.name, diff)
		}
	}
}

var hostileNames = []string{
	"", ".", "..", "../evil", "..\\evil", "/evil", "a/../../evil", "sub/evil", "evil\x00", "evil\n", "Evil", "évil", "-evil", ".evil",
	"_evil", "evil ", strings.Repeat("e", 64), "evil/", "%2e%2e", "~",
}

func TestHostileNames(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "providers")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"evil.toml", "providers/sub/evil.toml", "providers/.evil.toml"} {
		write(t, filepath.Join(parent, filepath.FromSlash(path)), own)
	}
	c := provider.Open(dir, nil)
	for _, name := range hostileNames {
		wantUnknown(t, c, name)
		if path, err := c.Add(provider.Spec{Name: name, Settings: provider.Settings{Issuer: "https://a.example", ClientID: "x"}, Replace: true}); err == nil {
			t.Errorf("Add(%q): got %s, want an error", name, path)
		}
		if _, err := c.Remove(name); !errors.Is(err, provider.ErrUnknown) {
			t.Errorf("Remove(%q): got %v, want ErrUnknown", name, err)
		}
	}
	for _, path := range []string{"evil.toml", "providers/sub/evil.toml", "providers/.evil.toml"} {
		if got, err := os.ReadFile(filepath.Join(parent, filepath.FromSlash(path))); err != nil || string(got) != own {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
	}
}

func TestNamesTheCallerRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "wait.toml"), own)
	write(t, filepath.Join(dir, "Upper.toml"), own)
	reserved := errors.New("a word of the command line")
	c := provider.Open(dir, func(name string) error {
		if name == "wait" {
			return reserved
		}
		return nil
	})
	if _, err := c.Lookup("wait"); !errors.Is(err, provider.ErrUnknown) {
		t.Errorf("Lookup: got %v", err)
	}
	if _, err := c.Add(provider.Spec{Name: "wait", Settings: provider.Settings{Base: "sandbox"}}); !errors.Is(err, reserved) {
		t.Errorf("Add: got %v", err)
	}
	if diff := cmp.Diff(presetNames, names(c.List())); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	problems := c.Problems()
	if len(problems) != 2 || !strings.Contains(problems[0].Error(), "Upper.toml") || !errors.Is(problems[1], reserved) {
		t.Errorf("Problems: got %v", problems)
	}
}

// TestCopies: what is handed out cannot change what others get.
func TestCopies(t *testing.T) {
	c, dir := open(t, map[string]string{"sandbox.toml": "client_id = 'x'\nscopes = ['mine']"})
	age(t, filepath.Join(dir, "sandbox.toml")) // so that it is not read anew each time
	for _, name := range []string{"qwen-oauth", "sandbox"} {
		before := lookup(t, c, name)
		scopes, overridden := slices.Clone(before.Scopes), slices.Clone(before.Overridden)
		for _, spoilt := range append(c.List(), before) {
			if spoilt.Name != name {
				continue
			}
			for i := range spoilt.Scopes {
				spoilt.Scopes[i] = "spoilt"
			}
			for i := range spoilt.Overridden {
				spoilt.Overridden[i] = "spoilt"
			}
		}
		for _, got := range append(c.List(), lookup(t, c, name)) {
			if got.Name == name && !(slices.Equal(got.Scopes, scopes) && slices.Equal(got.Overridden, overridden)) {
				t.Errorf("%s changed to %q and %q", name, got.Scopes, got.Overridden)
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	c, dir := open(t, nil)
	other := provider.Open(dir, nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := fmt.Sprintf("p%d", i%2)
			for range 20 {
				settings := provider.Settings{Issuer: fmt.Sprintf("https://a%d.example", i), ClientID: "x"}
				if _, err := c.Add(provider.Spec{Name: name, Settings: settings, Replace: true}); err != nil {
					t.Error(err)
				}
				for _, c := range []*provider.Catalogue{c, other} {
					if p, err := c.Lookup(name); err == nil && p.ClientID != "x" {
						t.Errorf("got %+v", p)
					} else if err != nil && !errors.Is(err, provider.ErrUnknown) {
						t.Error(err)
					}
					c.List()
					if err := c.Reload(); err != nil {
						t.Error(err)
					}
				}
				if _, err := c.Remove(name); err != nil && !errors.Is(err, provider.ErrUnknown) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestMethods(t *testing.T) {
	for _, tt := range []struct {
		p    provider.Provider
		want []string
	}{
		{provider.Provider{Issuer: "https://id.example.com"}, []string{"device", "code"}},
		{provider.Provider{Endpoints: oauth.Endpoints{DeviceAuthorization: "d"}}, []string{"device"}},
		{provider.Provider{Endpoints: oauth.Endpoints{Authorization: "a"}}, []string{"code"}},
	} {
		if got := tt.p.Methods(); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.p, got, tt.want)
		}
	}
}
