package config_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/usherauth/usher/internal/config"
)

// accountsOf loads the rules of a config.toml whose ~ is the folder it is in.
func accountsOf(t *testing.T, text string) (config.Accounts, string) {
	t.Helper()
	c, file, err := load(t, "[accounts]\n"+text)
	if err != nil {
		t.Fatal(err)
	}
	return c.Accounts, filepath.Dir(file)
}

func TestHolding(t *testing.T) {
	rules, home := accountsOf(t, `
"~" = ["github/me"]
"~/work" = ["github/work", "google/work"]
"~/work/client/" = ["github/client"]
"~/linked" = ["github/linked"]
"~/work-not" = ["github/wrong"]
"~/missing" = ["github/wrong"]
`)
	for _, dir := range []string{"work/client/deep/er", "work-not", "real", "workx", "elsewhere"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"linked": "real", "way": "work"} {
		if err := os.Symlink(filepath.Join(home, to), filepath.Join(home, link)); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string][]string{
		".":                  {"~"},
		"elsewhere":          {"~"},
		"workx":              {"~"},
		"work":               {"~/work", "~"},
		"work/client":        {"~/work/client/", "~/work", "~"},
		"work/client/deep":   {"~/work/client/", "~/work", "~"},
		"way/client/deep/er": {"~/work/client/", "~/work", "~"}, // by a link
		"real":               {"~/linked", "~"},                 // the rule is by a link
		"linked":             {"~/linked", "~"},
	} {
		holding, err := rules.Holding(filepath.Join(home, dir))
		if err != nil {
			t.Errorf("%s: %v", dir, err)
		}
		var got []string
		for _, rule := range holding {
			got = append(got, rule.Folder)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", dir, got, want)
		}
	}
	if _, err := rules.Holding(filepath.Join(home, "missing")); err == nil {
		t.Error("a folder that is gone: no error")
	}
}

func TestFor(t *testing.T) {
	rules, _ := accountsOf(t, `"~" = ["google", "github/me"]`)
	for provider, want := range map[string]string{"github": "github/me", "google": "google", "gitlab": ""} {
		key, ok := rules[0].For(provider)
		if got := key.String(); ok != (want != "") || ok && got != want {
			t.Errorf("%s: got %s, %v, want %q", provider, got, ok, want)
		}
	}
}

func TestFolderWithoutHome(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(file, []byte("[accounts]\n'~/x' = ['github/me']\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	variable := "HOME"
	if runtime.GOOS == "windows" {
		variable = "USERPROFILE"
	}
	_, err := config.Load(env(map[string]string{"USHER_HOME": dir, "USHER_CONFIG": file}))
	if want := file + `: accounts."~/x": ` + variable + " is not set to an absolute path, so ~ stands for nothing"; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
