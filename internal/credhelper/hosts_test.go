package credhelper_test

import (
	"testing"

	"github.com/usherauth/usher/internal/credhelper"
)

var hosts = credhelper.Hosts{"github.com", "git.example.com:8443", "127.0.0.1:3000", "[::1]:3000", "127.0.0.1", "localhost:3000", "10.0.0.1:3000"}

func TestHosts(t *testing.T) {
	for _, tt := range []struct{ protocol, host string }{
		{"https", "github.com"},
		{"https", "GitHub.COM"},
		{"https", "git.example.com:8443"},
		{"https", "127.0.0.1:3000"},
		{"https", "127.0.0.1"},
		{"https", "localhost:3000"},
		{"http", "127.0.0.1:3000"},
		{"http", "[::1]:3000"},
	} {
		if !hosts.Allow(tt.protocol, tt.host) {
			t.Errorf("Allow(%q, %q) = false", tt.protocol, tt.host)
		}
	}
}

// TestOtherHosts is what must get no token, though it looks like a host that may.
func TestOtherHosts(t *testing.T) {
	for _, tt := range []struct{ protocol, host string }{
		{"https", ""},
		{"", "github.com"},
		{"http", "github.com"},
		{"HTTPS", "github.com"}, // git says https
		{"ssh", "github.com"},
		{"https", "github.com.evil.test"},
		{"https", "evil-github.com"},
		{"https", "sub.github.com"},
		{"https", "github.com."},
		{"https", ".github.com"},
		{"https", "github.com:443"},
		{"https", "github.com:"},
		{"https", "git.example.com"},
		{"https", "git.example.com:8444"},
		{"https", "git.example.com:08443"},
		{"https", "git\u212Aexample.com"},
		{"https", "github.co\u217F"}, // its lower case looks like an m
		{"https", "G\u0130THUB.COM"},
		{"https", "g\u0456thub.com"},
		{"https", "g%69thub.com"},
		{"https", "github%2ecom"},
		{"https", "user@github.com"},
		{"https", "github.com@evil.test"},
		{"https", "github.com/"},
		{"https", "github.com#"},
		{"https", " github.com"},
		{"https", "github.com\t"},
		{"https", "github.com\nevil"},
		{"https", "github.com\x00"},
		{"http", "127.0.0.1"}, // listed, but without a port
		{"http", "127.0.0.1:3001"},
		{"http", "127.0.0.2:3000"},
		{"http", "localhost:3000"}, // a name, whoever resolves it
		{"http", "10.0.0.1:3000"},
		{"http", "127.1:3000"},
		{"http", "2130706433:3000"},
		{"https", "[::1]"},
		{"https", "[0:0::1]:3000"},
	} {
		if hosts.Allow(tt.protocol, tt.host) {
			t.Errorf("Allow(%q, %q) = true", tt.protocol, tt.host)
		}
	}
	if (credhelper.Hosts{""}).Allow("https", "") || credhelper.Hosts(nil).Allow("https", "github.com") {
		t.Error("a list without hosts allows for one")
	}
}

// FuzzHosts holds Allow to what it is about: that nothing but a listed host, in
// whatever case, is one.
func FuzzHosts(f *testing.F) {
	for _, host := range []string{"github.com", "GITHUB.com", "github.com.", "127.0.0.1:3000", "[::1]:3000", "git\u212A"} {
		f.Add("https", host)
		f.Add("http", host)
	}
	f.Fuzz(func(t *testing.T, protocol, host string) {
		if !hosts.Allow(protocol, host) {
			return
		}
		plain := []byte(host)
		for i, b := range plain {
			if b >= 'A' && b <= 'Z' {
				plain[i] = b | 0x20
			}
		}
		for _, h := range hosts {
			if h == string(plain) && (protocol == "https" || protocol == "http" && (h == "127.0.0.1:3000" || h == "[::1]:3000")) {
				return
			}
		}
		t.Errorf("Allow(%q, %q) = true", protocol, host)
	})
}
