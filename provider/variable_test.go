package provider

import (
	"strings"
	"testing"
)

func TestCheckVariable(t *testing.T) {
	for _, name := range []string{"A", "_", "_x1", "GITHUB_TOKEN", "OPENAI_API_KEY", "lower_case", "PATHS", "GITHUB", "NODE_AUTH_TOKEN", strings.Repeat("A", 128)} {
		if err := CheckVariable(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "1A", "A-B", "A B", "A=B", "A\x00", "Ä", "A\n", "A;x", "$(x)", strings.Repeat("A", 129),
		"PATH", "Path", "HOME", "LD_PRELOAD", "LD_", "DYLD_INSERT_LIBRARIES", "NODE_OPTIONS", "BASH_ENV", "ENV", "IFS",
		"GIT_SSH_COMMAND", "https_proxy", "HTTPS_PROXY", "PYTHONPATH", "USHER_HOME", "QWEN_SERVER_TOKEN", "PS4", "SYSTEMROOT",
		"SHELLOPTS", "ftp_proxy", "OPENSSL_CONF", "LESSOPEN", "MAKEFLAGS", "DOTNET_STARTUP_HOOKS",
	} {
		if err := CheckVariable(name); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
}

// TestDefaultVariable: every name of a provider has a variable that can be one.
func TestDefaultVariable(t *testing.T) {
	for name, want := range map[string]string{
		"github": "GITHUB_TOKEN", "qwen-oauth": "QWEN_OAUTH_TOKEN", "id.example.com": "ID_EXAMPLE_COM_TOKEN",
		"3scale": "OAUTH_3SCALE_TOKEN", "git": "GIT_TOKEN", "usher": "OAUTH_USHER_TOKEN", "a_b": "A_B_TOKEN",
	} {
		if got := defaultTokenEnv(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
		if err := CheckVariable(want); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExactHost(t *testing.T) {
	for _, host := range []string{
		"github.com", "gist.github.com", "localhost", "localhost:8080", "127.0.0.1:5000", "xn--bcher-kva.example",
		"[::1]", "[::1]:5000", "[2001:db8::1]:65535", "a", "a.b:1",
	} {
		if !exactHost(host) {
			t.Errorf("%s: refused", host)
		}
	}
	for _, host := range []string{
		"", "GitHub.com", "*.github.com", ".github.com", "github.com.", "github..com", "https://github.com", "github.com/x",
		"user@github.com", "github.com:", "github.com:0", "github.com:65536", "github.com:080", "github.com:+80", "github.com:x",
		"git hub.com", "github.com\n", "bücher.example", "-a.example", "a-.example", "::1", "[::1", "[::1]x", "[::01]:80",
		"[fe80::1%eth0]", "[127.0.0.1]", "[]", "[", "a:1:2", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a",
		"github.com%00.evil.test", "[[::1]]", "[::1]]",
	} {
		if exactHost(host) {
			t.Errorf("%q: accepted", host)
		}
	}
}
