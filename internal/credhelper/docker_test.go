package credhelper_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/internal/credhelper"
	"github.com/usherauth/usher/secret"
)

func TestParseDocker(t *testing.T) {
	for in, want := range map[string]credhelper.DockerServer{
		"ghcr.io":                     {URL: "ghcr.io", Protocol: "https", Host: "ghcr.io"},
		"ghcr.io\n":                   {URL: "ghcr.io", Protocol: "https", Host: "ghcr.io"},
		"ghcr.io\r\n":                 {URL: "ghcr.io", Protocol: "https", Host: "ghcr.io"},
		"127.0.0.1:5000":              {URL: "127.0.0.1:5000", Protocol: "https", Host: "127.0.0.1:5000"},
		"https://ghcr.io":             {URL: "https://ghcr.io", Protocol: "https", Host: "ghcr.io"},
		"https://index.docker.io/v1/": {URL: "https://index.docker.io/v1/", Protocol: "https", Host: "index.docker.io"},
		"ghcr.io/team/image":          {URL: "ghcr.io/team/image", Protocol: "https", Host: "ghcr.io"},
		"http://127.0.0.1:5000/v2":    {URL: "http://127.0.0.1:5000/v2", Protocol: "http", Host: "127.0.0.1:5000"},
		// None of these is a host that could be listed.
		"https://evil.test#@ghcr.io/":  {URL: "https://evil.test#@ghcr.io/", Protocol: "https", Host: "evil.test#@ghcr.io"},
		"https://ghcr.io@evil.test/":   {URL: "https://ghcr.io@evil.test/", Protocol: "https", Host: "ghcr.io@evil.test"},
		"https://ghcr.io\\@evil.test/": {URL: "https://ghcr.io\\@evil.test/", Protocol: "https", Host: "ghcr.io\\@evil.test"},
		"//ghcr.io":                    {URL: "//ghcr.io", Protocol: "https"},
		"https:///ghcr.io":             {URL: "https:///ghcr.io", Protocol: "https"},
	} {
		got, err := credhelper.ParseDocker(strings.NewReader(in))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", in, err, diff)
		}
	}
	for _, in := range []string{
		"", "\n", "ghcr.io evil.test", "ghcr.io\nevil.test", "ghcr.io\x00", "ghcr.io\x1b[2J", "ghcr\xff.io",
		"ghcr.io/" + strings.Repeat("x", 4<<10),
	} {
		if got, err := credhelper.ParseDocker(strings.NewReader(in)); err == nil || got != (credhelper.DockerServer{}) {
			t.Errorf("%q: got %+v, %v", in, got, err)
		}
	}
}

func TestPrintDocker(t *testing.T) {
	got, err := credhelper.PrintDocker(credhelper.DockerServer{URL: "https://ghcr.io", Host: "ghcr.io"}, "u", secret.New("t"))
	if want := `{"ServerURL":"https://ghcr.io","Username":"u","Secret":"t"}`; got != want || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

// FuzzDocker holds that an answer is one line of JSON about the server that was
// asked about, and that a host which could be listed is all of the address but
// its protocol and path.
func FuzzDocker(f *testing.F) {
	f.Add("ghcr.io", "u", "t")
	f.Add("https://ghcr.io/v2/", "<token>", "a\"b\n")
	f.Fuzz(func(t *testing.T, in, username, token string) {
		server, err := credhelper.ParseDocker(strings.NewReader(in))
		if err != nil {
			return
		}
		plain := strings.TrimPrefix(strings.TrimPrefix(strings.TrimRight(in, "\r\n"), "https://"), "http://")
		if (credhelper.Hosts{"ghcr.io"}).Allow(server.Protocol, server.Host) &&
			!strings.EqualFold(plain, "ghcr.io") && !strings.HasPrefix(strings.ToLower(plain), "ghcr.io/") {
			t.Errorf("%q is taken for ghcr.io", in)
		}
		line, err := credhelper.PrintDocker(server, username, secret.New(token))
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ ServerURL, Username, Secret string }
		if err := json.Unmarshal([]byte(line), &got); err != nil || strings.ContainsAny(line, "\r\n") {
			t.Fatalf("%q: %v", line, err)
		}
		for _, pair := range [][2]string{{server.URL, got.ServerURL}, {username, got.Username}, {token, got.Secret}} {
			if utf8.ValidString(pair[0]) && pair[0] != pair[1] {
				t.Errorf("%q is read as %+v", line, got)
			}
		}
	})
}
