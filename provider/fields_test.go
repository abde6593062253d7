package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/provider"
)

// TestFields compares what there is to show with testdata/fields/NAME.golden.
func TestFields(t *testing.T) {
	c, _ := open(t, map[string]string{
		"github.toml": "client_id = 'mine'\nscopes = ['repo', 'read:org']\npoll_interval = 8\nkeep_alive = '180d'\n",
		"work.toml":   "base = 'qwen-oauth'\ntitle = 'Work'\nissuer = 'https://id.example.com'\ndialect = 'standard'\n",
		"full.toml":   own + "title = 'Full'\nclient_secret_file = '/etc/usher/secret'\nresource = 'https://api.example.com/'\nuserinfo_endpoint = 'https://id.example.com/me'\n",
	})
	for _, name := range []string{"full", "github", "qwen-oauth", "sandbox", "work"} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for _, f := range lookup(t, c, name).Fields() {
				fmt.Fprintf(&b, "%s: %s (%s)\n", f.Key, f.Value, f.Source)
			}
			want, err := os.ReadFile(filepath.Join("testdata", "fields", name+".golden"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFieldsAreComplete: every setting a file can give is shown.
func TestFieldsAreComplete(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, "hush")
	link := func(path string) string { return "https://id.example.com/" + path }
	c, _ := open(t, nil)
	if _, err := c.Add(provider.Spec{Name: "mine", Settings: provider.Settings{
		Base: "sandbox", Title: "T", Note: "N", Issuer: link(""), DeviceAuthorizationEndpoint: link("d"),
		AuthorizationEndpoint: link("a"), TokenEndpoint: link("t"), RevocationEndpoint: link("r"), UserinfoEndpoint: link("u"),
		ClientID: "x", ClientIDHelp: "H", ClientSecretFile: file, AuthStyle: "post",
		RedirectURIs: []string{link("cb")}, Scopes: []string{"s"}, Dialect: "github",
		Resource: link("api"), PollInterval: 9, KeepAlive: "36h", ShareWith: "qwen", TellContext: true, BaseURL: link("b"), BaseURLRule: "resource_url",
		TokenEnv: []string{"T"}, BaseURLEnv: []string{"U"}, GitHosts: []string{"g.example"}, GitUsername: "g",
		DockerHosts: []string{"d.example:5000"}, DockerUsername: "d",
	}}); err != nil {
		t.Fatal(err)
	}
	p := lookup(t, c, "mine")
	var got []string
	for _, f := range p.Fields() {
		got = append(got, f.Key)
		if f.Source != provider.FromFile {
			t.Errorf("%s: got source %s", f.Key, f.Source)
		}
	}
	if diff := cmp.Diff(append([]string{"base"}, p.Overridden...), got); diff != "" {
		t.Errorf("keys (-given +shown):\n%s", diff)
	}
	if len(got) != 29 {
		t.Errorf("got %d keys, want all 29", len(got))
	}
}
