package provider_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/provider"
)

var presetNames = []string{"github", "qwen-oauth", "qwen-oauth-staging", "sandbox"}

// TestPresets compares the catalogue with facts typed by hand.
func TestPresets(t *testing.T) {
	c, _ := open(t, nil)
	list := c.List()
	if diff := cmp.Diff(presetNames, names(list)); diff != "" {
		t.Fatalf("names (-want +got):\n%s", diff)
	}
	const qwenClient = "f0304373b74a44d2b584a3fb70ca9e56"
	qwenScopes := []string{"openid", "profile", "email", "model.completion"}
	want := []provider.Provider{
		{
			Endpoints: oauth.Endpoints{
				DeviceAuthorization: "https://github.com/login/device/code",
				Authorization:       "https://github.com/login/oauth/authorize",
				Token:               "https://github.com/login/oauth/access_token",
			},
			Dialect:  oauth.DialectGitHub,
			BaseURL:  "https://api.github.com",
			TokenEnv: []string{"GITHUB_TOKEN", "GH_TOKEN"},
			GitHosts: []string{"github.com", "gist.github.com"}, GitUsername: "x-access-token",
			DockerHosts: []string{"ghcr.io"},
		},
		{
			Endpoints: oauth.Endpoints{
				DeviceAuthorization: "https://chat.qwen.ai/api/v1/oauth2/device/code",
				Token:               "https://chat.qwen.ai/api/v1/oauth2/token",
			},
			ClientID: qwenClient, Scopes: qwenScopes, Dialect: oauth.DialectQwen,
			BaseURL: "https://dashscope.aliyuncs.com/compatible-mode/v1", BaseURLRule: provider.BaseURLResource,
			ShareWith: "qwen", TokenEnv: []string{"OPENAI_API_KEY"}, BaseURLEnv: []string{"OPENAI_BASE_URL"},
		},
		{
			Endpoints: oauth.Endpoints{
				DeviceAuthorization: "https://pre4-chat.qwen.ai/api/v1/oauth2/device/code",
				Token:               "https://pre4-chat.qwen.ai/api/v1/oauth2/token",
			},
			ClientID: qwenClient, Scopes: qwenScopes, Dialect: oauth.DialectQwen,
			BaseURLRule: provider.BaseURLResource,
			// Not those of its base: a key in OPENAI_API_KEY goes to whichever server the variable's reader knows.
			TokenEnv: []string{"QWEN_OAUTH_STAGING_TOKEN"},
		},
		{
			Issuer:    "http://127.0.0.1:9400",
			Endpoints: oauth.Endpoints{Issuer: "http://127.0.0.1:9400"},
			ClientID:  "usher-demo", Scopes: []string{"openid", "profile", "offline_access"},
			Dialect: oauth.DialectStandard, TellContext: true, BaseURL: "http://127.0.0.1:9400",
			TokenEnv: []string{"SANDBOX_TOKEN"},
		},
	}
	for i, got := range list {
		if !got.Preset || got.Base != "" || got.Path != "" || got.Overridden != nil {
			t.Errorf("%s: got Preset %v, Base %q, Path %q, Overridden %q", got.Name, got.Preset, got.Base, got.Path, got.Overridden)
		}
		if got.Title == got.Name || got.Note == "" {
			t.Errorf("%s: has no title or no note", got.Name)
		}
		if err := got.Endpoints.Validate(); err != nil {
			t.Errorf("%s: %v", got.Name, err)
		}
		// Words for people are not facts to compare.
		want[i].Name, want[i].Title, want[i].Note = got.Name, got.Title, got.Note
		want[i].Preset, want[i].ClientIDHelp = true, got.ClientIDHelp
		if diff := cmp.Diff(want[i], got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", got.Name, diff)
		}
	}
	if got := c.Problems(); got != nil {
		t.Errorf("Problems: got %v", got)
	}
}

func TestPresetsSayWhatMatters(t *testing.T) {
	c, _ := open(t, nil)
	for name, words := range map[string][]string{
		"qwen-oauth":         {"public client", "2026-04-15"},
		"qwen-oauth-staging": {"public client", "staging"},
		"sandbox":            {"usher sandbox"},
	} {
		note := lookup(t, c, name).Note
		for _, word := range words {
			if !strings.Contains(note, word) {
				t.Errorf("note of %s: got %q, want %q in it", name, note, word)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	c, _ := open(t, map[string]string{"mine.toml": own})
	for _, name := range []string{"qwen-oauth", "qwen-oauth-staging", "sandbox", "mine"} {
		if err := lookup(t, c, name).Check(); err != nil {
			t.Errorf("Check of %s: %v", name, err)
		}
	}

	err := lookup(t, c, "github").Check()
	var incomplete *provider.IncompleteError
	if !errors.As(err, &incomplete) {
		t.Fatalf("Check of github: got %v, want an *IncompleteError", err)
	}
	if incomplete.Provider != "github" || incomplete.Missing != "client_id" {
		t.Errorf("got %+v", incomplete)
	}
	for _, word := range []string{"https://github.com/settings/developers", "Enable Device Flow"} {
		if !strings.Contains(incomplete.Help, word) {
			t.Errorf("help: got %q, want %q in it", incomplete.Help, word)
		}
	}
}
