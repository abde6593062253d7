package provider_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/usherauth/usher/provider"
)

func TestAPIBase(t *testing.T) {
	const standing = "https://api.example.com/x"
	for _, test := range []struct {
		rule            provider.BaseURLRule
		said, want, err string
	}{
		{provider.BaseURLFixed, "", standing, ""},
		{provider.BaseURLFixed, "portal.qwen.ai", standing, ""},
		{provider.BaseURLResource, "", standing, ""},
		{provider.BaseURLResource, "portal.qwen.ai", "https://portal.qwen.ai/v1", ""},
		{provider.BaseURLResource, "portal.qwen.ai/", "https://portal.qwen.ai/v1", ""},
		{provider.BaseURLResource, "portal.qwen.ai/v1", "https://portal.qwen.ai/v1", ""},
		{provider.BaseURLResource, "https://portal.qwen.ai/v1/", "https://portal.qwen.ai/v1", ""},
		{provider.BaseURLResource, "https://portal.qwen.ai/api", "https://portal.qwen.ai/api/v1", ""},
		{provider.BaseURLResource, "v1", "https://v1/v1", ""},
		{provider.BaseURLResource, "http://127.0.0.1:9400", "http://127.0.0.1:9400/v1", ""},
		{provider.BaseURLResource, "http://portal.qwen.ai", "", "https"},
		{provider.BaseURLResource, "ftp://portal.qwen.ai", "", "https"},
		{provider.BaseURLResource, "me:you@portal.qwen.ai", "", "user information"},
		{provider.BaseURLResource, "portal.qwen.ai/?to=evil", "", "query"},
		{provider.BaseURLResource, "portal.qwen.ai/#v1", "", "fragment"},
		{provider.BaseURLResource, "portal.qwen.ai\r\nX: y", "", "character"},
		{provider.BaseURLResource, "/v1", "", "host"},
	} {
		p := provider.Provider{Name: "mine", BaseURL: standing, BaseURLRule: test.rule}
		got, err := p.APIBase(test.said)
		if got != test.want {
			t.Errorf("APIBase(%q), rule %q: got %q, want %q", test.said, test.rule, got, test.want)
		}
		if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("APIBase(%q), rule %q: got error %v, want %q in it", test.said, test.rule, err, test.err)
		}
	}
}

func FuzzAPIBase(f *testing.F) {
	for _, seed := range []string{"", "portal.qwen.ai", "https://a/v1/", "http://[::1]:80", "//x", "a b", "https://a/%zz"} {
		f.Add(seed)
	}
	p := provider.Provider{Name: "mine", BaseURLRule: provider.BaseURLResource}
	f.Fuzz(func(t *testing.T, said string) {
		got, err := p.APIBase(said)
		if err != nil || said == "" {
			if got != "" {
				t.Errorf("APIBase(%q): got %q beside %v", said, got, err)
			}
			return
		}
		u, err := url.Parse(got)
		if err != nil || !strings.HasSuffix(u.Path, "/v1") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			t.Errorf("APIBase(%q): got %q, %v", said, got, err)
		}
		host := strings.ToLower(u.Hostname())
		if u.Scheme != "https" && host != "localhost" && !strings.HasPrefix(host, "127.") && host != "::1" {
			t.Errorf("APIBase(%q): got %q", said, got)
		}
		again, err := p.APIBase(got)
		if err != nil || again != got {
			t.Errorf("APIBase of its own answer %q: got %q, %v", got, again, err)
		}
	})
}
