package callback

import (
	"errors"
	"testing"
)

func TestTarget(t *testing.T) {
	for name, tt := range map[string]struct {
		c    Config
		want string // with port 0 for any
		err  error
	}{
		"the usual one":               {Config{Provider: "acme"}, "http://127.0.0.1:0/callback/acme", nil},
		"at a port":                   {Config{Provider: "acme", Port: 8080}, "http://127.0.0.1:8080/callback/acme", nil},
		"registered without a port":   {Config{RedirectURIs: []string{"http://127.0.0.1/cb"}}, "http://127.0.0.1:0/cb", nil},
		"registered with a port":      {Config{RedirectURIs: []string{"http://127.0.0.1:7070/cb"}}, "http://127.0.0.1:7070/cb", nil},
		"a literal address, any port": {Config{RedirectURIs: []string{"http://127.0.0.1:7070/cb"}, Port: 8080}, "http://127.0.0.1:8080/cb", nil},
		"IPv6":                        {Config{RedirectURIs: []string{"http://[::1]/cb"}}, "http://[::1]:0/cb", nil},
		"a name":                      {Config{RedirectURIs: []string{"http://localhost/cb"}}, "http://localhost:0/cb", nil},
		"a name at a port":            {Config{RedirectURIs: []string{"http://localhost/cb"}, Port: 8080}, "http://localhost:8080/cb", nil},
		"a name with a port":          {Config{RedirectURIs: []string{"http://localhost:7070"}}, "http://localhost:7070", nil},
		"a name with another port":    {Config{RedirectURIs: []string{"http://localhost:7070/cb"}, Port: 8080}, "", ErrPort},
		"the one with that port":      {Config{RedirectURIs: []string{"http://localhost:7070/cb", "http://localhost:8080/cb"}, Port: 8080}, "http://localhost:8080/cb", nil},
		"the first that leads here":   {Config{RedirectURIs: []string{"https://app.example/cb", "http://localhost:7/a", "http://127.0.0.1/b"}}, "http://localhost:7/a", nil},
		"with a query":                {Config{RedirectURIs: []string{"http://127.0.0.1/cb?keep=1"}}, "http://127.0.0.1:0/cb?keep=1", nil},
		"escaped":                     {Config{RedirectURIs: []string{"http://127.0.0.1/a%2Fb"}}, "http://127.0.0.1:0/a%2Fb", nil},
		"elsewhere":                   {Config{RedirectURIs: []string{"https://app.example/cb"}}, "", ErrNotLoopback},
		"TLS":                         {Config{RedirectURIs: []string{"https://127.0.0.1/cb"}}, "", ErrNotLoopback},
		"another loopback address":    {Config{RedirectURIs: []string{"http://127.0.0.2/cb"}}, "", ErrNotLoopback},
		"a look-alike":                {Config{RedirectURIs: []string{"http://127.0.0.1.evil.test/cb", "http://localhost.evil.test/"}}, "", ErrNotLoopback},
		"user information":            {Config{RedirectURIs: []string{"http://127.0.0.1@evil.test/cb", "http://u@127.0.0.1/"}}, "", ErrNotLoopback},
		"no port there is":            {Config{RedirectURIs: []string{"http://127.0.0.1:0/cb", "http://127.0.0.1:65536/cb"}}, "", ErrNotLoopback},
	} {
		got, err := tt.c.target()
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", name, err, tt.err)
		} else if err == nil && got.uri() != tt.want {
			t.Errorf("%s: %s, want %s", name, got.uri(), tt.want)
		}
	}
}
