package provider

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/internal/conffile"
)

// FuzzParse: a provider's file never makes the program panic; what is accepted
// obeys the rules, and a mistake names the file.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "issuer = 'https://a.example'\nclient_id = 'x'\n", "client_id = 'x'", "scopes = []", "scopes = ['a','a']",
		"base = 'github'", "[issuer]\na = 1", "issuer = 1979-05-27", "a.b.c = 1", "[[scopes]]\nx=1", "poll_interval = 1e9", "keep_alive = '90d'\nshare_with = 'none'",
		"issuer = \"\"\"\nhttps://a.example\"\"\"", "\ufeffissuer = 'x'", "issuer = 'http://a'", "client_id = \"\\u0000\"",
		"token_endpoint='https://a/t'\ndevice_authorization_endpoint='https://a/d'", "auth_style='basic'\nclient_secret_file='/x'",
		"issuer='https://a.example'\ntoken_env=['A']\nbase_url_env=['B']\ngit_hosts=['a.example:8443']\ndocker_hosts=['[::1]:5000']\ngit_username='x'",
		string(catalog),
	} {
		f.Add("mine", []byte(seed))
		f.Add("github", []byte(seed))
	}
	c := Open(f.TempDir(), nil)
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		p, err := c.parse(name, "x.toml", data)
		if err != nil {
			var mistake *conffile.Error
			if !errors.As(err, &mistake) || mistake.Path != "x.toml" || mistake.Problem == "" {
				t.Errorf("got %#v, want a mistake in x.toml", err)
			}
			if diff := cmp.Diff(Provider{}, p); diff != "" {
				t.Errorf("got a provider beside the error:\n%s", diff)
			}
			return
		}
		if err := p.Endpoints.Validate(); err != nil {
			t.Errorf("accepted endpoints: %v", err)
		}
		if p.Issuer == "" && ((p.Endpoints.DeviceAuthorization == "" && p.Endpoints.Authorization == "") || p.Endpoints.Token == "") {
			t.Errorf("accepted a provider that is nowhere: %+v", p)
		}
		if p.Title == "" && name != "" || p.Dialect == "" {
			t.Errorf("accepted without title or dialect: %+v", p)
		}
	})
}

// FuzzEdits: the distance is a metric as far as nearest relies on it.
func FuzzEdits(f *testing.F) {
	f.Add("github", "gihtub")
	f.Add("", "a")
	f.Fuzz(func(t *testing.T, a, b string) {
		d := edits(a, b)
		if d != edits(b, a) {
			t.Errorf("edits(%q, %q) is not symmetric", a, b)
		}
		if len(a) <= 64 && len(b) <= 64 && ((d == 0) != (a == b) || d > max(len(a), len(b))) {
			t.Errorf("edits(%q, %q): got %d", a, b, d)
		}
	})
}
