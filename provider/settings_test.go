package provider_test

import (
	"testing"
	"time"

	"github.com/usherauth/usher/provider"
)

func TestKeepAlive(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90d": 90 * 24 * time.Hour, "3650d": 3650 * 24 * time.Hour, "36h": 36 * time.Hour, "48h": 48 * time.Hour, "30m": 30 * time.Minute,
	} {
		c, _ := open(t, map[string]string{"mine.toml": own + "keep_alive = '" + text + "'\n"})
		if got := lookup(t, c, "mine").KeepAlive; got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

// TestShareWith: what shares a tool's file does so by its name, not because it
// builds on the preset that does.
func TestShareWith(t *testing.T) {
	for _, tt := range []struct {
		file, text, want string
	}{
		{"qwen-oauth", "title = 'Mine'\n", "qwen"},
		{"qwen-oauth", "issuer = 'https://id.example.com'\n", "qwen"},
		{"qwen-oauth", "share_with = 'none'\n", ""},
		{"work", "base = 'qwen-oauth'\n", ""},
		{"work", "base = 'qwen-oauth'\nshare_with = 'qwen'\n", "qwen"},
		{"mine", own, ""},
		{"mine", own + "share_with = 'none'\n", ""},
	} {
		c, _ := open(t, map[string]string{tt.file + ".toml": tt.text})
		if got := lookup(t, c, tt.file).ShareWith; got != tt.want {
			t.Errorf("%s with %q: got %q, want %q", tt.file, tt.text, got, tt.want)
		}
	}
	c, _ := open(t, map[string]string{"qwen-oauth.toml": "share_with = 'none'\n"})
	shown := map[string]provider.Field{}
	for _, f := range lookup(t, c, "qwen-oauth").Fields() {
		shown[f.Key] = f
	}
	if got := shown["share_with"]; got.Value != "none" || got.Source != provider.FromFile {
		t.Errorf("shown as %+v", got)
	}
	c, _ = open(t, nil)
	if got := lookup(t, c, "qwen-oauth-staging").ShareWith; got != "" {
		t.Errorf("the staging preset shares with %q", got)
	}
}
