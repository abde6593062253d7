package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/internal/conffile"
	"github.com/usherauth/usher/internal/config"
)

// env returns a getenv over the given variables alone.
func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// load writes text as config.toml, unless it is empty, and loads it.
func load(t *testing.T, text string) (config.Config, string, error) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "config.toml")
	if text != "" {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(env(map[string]string{"USHER_HOME": dir, "USHER_CONFIG": file, "HOME": dir, "USERPROFILE": dir}))
	return c, file, err
}

func TestLoad(t *testing.T) {
	for _, test := range []struct{ name, text, listen string }{
		{"missing file", "", ""},
		{"only a comment", "# nothing yet\n", ""},
		{"empty table", "[serve]\n", ""},
		{"listen", "[serve]\nlisten = \"127.0.0.1:0\"\n", "127.0.0.1:0"},
		{"listen on IPv6", "[serve]\nlisten = \"[::1]:4170\"\n", "[::1]:4170"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, file, err := load(t, test.text)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Dir(file)
			want := config.Config{
				Dirs:  config.Dirs{Home: dir, ConfigFile: file, ProvidersDir: filepath.Join(dir, "providers")},
				Serve: config.Serve{Listen: test.listen},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Load (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadServe(t *testing.T) {
	got, _, err := load(t, `[serve]
allow_origin = ["https://a.example", "*"]
require_auth = true
rate_limit = true
rate_limit_read = 10
rate_limit_mutation = 2
rate_limit_window = "30s"
audit_log = "/var/log/usher.log"
`)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Serve{
		AllowOrigin: []string{"https://a.example", "*"}, RequireAuth: true, RateLimit: true,
		RateLimitRead: 10, RateLimitMutation: 2, RateLimitWindow: "30s", AuditLog: "/var/log/usher.log",
	}
	if diff := cmp.Diff(want, got.Serve); diff != "" || got.Serve.Window() != 30*time.Second || (config.Serve{}).Window() != 0 {
		t.Errorf("[serve] (-want +got):\n%s", diff)
	}
}

func TestLoadNamesTheMistake(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       conffile.Error
	}{
		{"unknown table", "[server]\n", conffile.Error{Line: 1, Column: 2, Key: "server", Problem: "unknown key; known are serve, accounts"}},
		{"unknown key", "[serve]\n\nlisen = \"x\"\n", conffile.Error{Line: 3, Column: 1, Key: "serve.lisen", Problem: "unknown key; known are listen, allow_origin, require_auth, rate_limit, rate_limit_read, rate_limit_mutation, rate_limit_window, audit_log"}},
		{"wrong type", "[serve]\nlisten = 4170\n", conffile.Error{Line: 2, Column: 10, Key: "serve.listen", Problem: "must be a string"}},
		{"no port", "[serve]\nlisten = \"localhost\"\n", conffile.Error{Key: "serve.listen", Problem: "must be host:port, like 127.0.0.1:4170"}},
		{"bad port", "[serve]\nlisten = \"localhost:http\"\n", conffile.Error{Key: "serve.listen", Problem: "port must be a number from 0 to 65535"}},
		{"origins that are no list", "[serve]\nallow_origin = \"*\"\n", conffile.Error{Line: 2, Column: 16, Key: "serve.allow_origin", Problem: "must be an array, each element a string"}},
		{"negative rate", "[serve]\nrate_limit_read = -1\n", conffile.Error{Key: "serve.rate_limit_read", Problem: "must not be negative"}},
		{"negative rate of changes", "[serve]\nrate_limit_mutation = -1\n", conffile.Error{Key: "serve.rate_limit_mutation", Problem: "must not be negative"}},
		{"no duration", "[serve]\nrate_limit_window = \"60\"\n", conffile.Error{Key: "serve.rate_limit_window", Problem: "must be a duration, like 1m or 30s"}},
		{"no time at all", "[serve]\nrate_limit_window = \"0s\"\n", conffile.Error{Key: "serve.rate_limit_window", Problem: "must be a duration, like 1m or 30s"}},
		{"account of no folder", "[accounts]\n'work' = ['github/work']\n", conffile.Error{Key: `accounts."work"`, Problem: "must be an absolute path, or begin with ~/"}},
		{"account of another user's folder", "[accounts]\n'~ada/work' = ['github/work']\n", conffile.Error{Key: `accounts."~ada/work"`, Problem: "must be an absolute path, or begin with ~/"}},
		{"one account as a string", "[accounts]\n'~/work' = 'github/work'\n", conffile.Error{Line: 2, Column: 12, Key: "accounts.~/work", Problem: "must be an array, each element a string"}},
		{"no key", "[accounts]\n'~/work' = ['GitHub']\n", conffile.Error{Key: `accounts."~/work"`, Problem: `invalid key "GitHub": provider name must be 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit`}},
		{"two accounts of a provider", "[accounts]\n'~/work' = ['github', 'google/me', 'github/work']\n", conffile.Error{Key: `accounts."~/work"`, Problem: "github is there twice: github/default and github/work"}},
		{"relative audit log", "[serve]\naudit_log = \"audit.log\"\n", conffile.Error{Key: "serve.audit_log", Problem: "must be an absolute path"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, file, err := load(t, test.text)
			if diff := cmp.Diff(config.Config{}, got); diff != "" {
				t.Errorf("Load returned something beside the error:\n%s", diff)
			}
			var mistake *conffile.Error
			if !errors.As(err, &mistake) {
				t.Fatalf("Load: got %v, want a *conffile.Error", err)
			}
			test.want.Path = file
			if diff := cmp.Diff(test.want, *mistake); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadRefusesADirectory(t *testing.T) {
	dir := t.TempDir()
	if _, err := config.Load(env(map[string]string{"USHER_HOME": dir, "USHER_CONFIG": dir})); err == nil {
		t.Error("Load of a directory: got no error")
	}
}
