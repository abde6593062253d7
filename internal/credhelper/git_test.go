package credhelper_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/internal/credhelper"
	"github.com/usherauth/usher/secret"
)

func TestParseGit(t *testing.T) {
	long := strings.Repeat("x", 64<<10-len("path=\n"))
	for name, tt := range map[string]struct {
		in   string
		want credhelper.GitQuestion
	}{
		"nothing":        {"", credhelper.GitQuestion{}},
		"an empty line":  {"\nprotocol=https\n", credhelper.GitQuestion{}},
		"what git sends": {"protocol=https\nhost=github.com\n\n", credhelper.GitQuestion{Protocol: "https", Host: "github.com"}},
		"no end":         {"protocol=https\nhost=github.com", credhelper.GitQuestion{Protocol: "https", Host: "github.com"}},
		"all": {
			"capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=a:1\npath=x/y.git\nusername=me\npassword=p=q\nwwwauth[]=Basic realm=\"x\"\nwwwauth[]=Bearer\noauth_refresh_token=r\n\n",
			credhelper.GitQuestion{Protocol: "https", Host: "a:1", Username: "me", Password: secret.New("p=q")},
		},
		"after the empty line": {"host=a\n\nhost=evil\nnonsense", credhelper.GitQuestion{Host: "a"}},
		"empty values":         {"protocol=\nhost=\nusername=\n", credhelper.GitQuestion{}},
		"a long line":          {"host=a\npath=" + long + "\n", credhelper.GitQuestion{Host: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			for way, r := range map[string]io.Reader{
				"at once": strings.NewReader(tt.in), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.in)),
			} {
				got, err := credhelper.ParseGit(r)
				if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
					t.Errorf("%s: %v\n%s", way, err, diff)
				}
			}
		})
	}
}

// TestParseGitRefuses is about questions that could be read in more than one way.
func TestParseGitRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"a carriage return":     "protocol=https\r\nhost=github.com\r\n",
		"one inside":            "protocol=https\nhost=evil\rhost=github.com\n",
		"NUL":                   "protocol=https\nhost=github.com\x00.evil\n",
		"NUL in an ignored one": "wwwauth[]=x\x00\nhost=github.com\n",
		"no sign":               "protocol=https\nhost\n",
		"no key":                "protocol=https\n=github.com\n",
		"two hosts":             "protocol=https\nhost=github.com\nhost=evil\n",
		"two of the same":       "host=github.com\nhost=github.com\n",
		"two unknown":           "x=1\nx=2\n",
		"a line too long":       "path=" + strings.Repeat("x", 64<<10) + "\n",
		"too many lines":        strings.Repeat("wwwauth[]="+strings.Repeat("x", 1000)+"\n", 2000),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := credhelper.ParseGit(strings.NewReader(in))
			if err == nil || !cmp.Equal(got, credhelper.GitQuestion{}) {
				t.Errorf("got %+v, %v", got, err)
			} else if strings.Contains(err.Error(), "evil") || strings.Contains(err.Error(), "xxx") {
				t.Errorf("the error repeats the question: %v", err)
			}
		})
	}
	broken := errors.New("broken")
	if _, err := credhelper.ParseGit(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestGitAnswer(t *testing.T) {
	full := credhelper.GitAnswer{Username: "x-access-token", Password: secret.New("gho_1"), Expires: time.Unix(1_800_000_000, 5)}
	got, err := full.Print()
	if want := "username=x-access-token\npassword=gho_1\npassword_expiry_utc=1800000000\n"; got != want || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	got, err = credhelper.GitAnswer{Username: "u", Password: secret.New("p")}.Print()
	if want := "username=u\npassword=p\n"; got != want || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"a\nhost=evil", "a\rb", "a\x00b", "a\n", strings.Repeat("x", 64<<10)} {
		for _, a := range []credhelper.GitAnswer{
			{Username: bad, Password: secret.New("p")}, {Username: "u", Password: secret.New(bad)},
		} {
			if got, err := a.Print(); err == nil || got != "" || strings.Contains(err.Error(), bad) {
				t.Errorf("got %q, %v for %q", got, err, bad)
			}
		}
	}
}

// FuzzParseGit holds that whatever was accepted is plain, and comes back from
// its own lines.
func FuzzParseGit(f *testing.F) {
	f.Add([]byte("protocol=https\nhost=github.com\nusername=me\n\n"))
	f.Add([]byte("host=evil\rhost=github.com\n"))
	f.Add([]byte("capability[]=a\ncapability[]=b\npath=%0d%0a\npassword=x\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		q, err := credhelper.ParseGit(bytes.NewReader(in))
		if err != nil {
			return
		}
		var lines strings.Builder
		for _, pair := range [][2]string{
			{"protocol", q.Protocol}, {"host", q.Host}, {"username", q.Username}, {"password", q.Password.Reveal()},
		} {
			if strings.ContainsAny(pair[1], "\r\n\x00") {
				t.Fatalf("%q is not plain", pair[1])
			}
			if pair[1] != "" {
				lines.WriteString(pair[0] + "=" + pair[1] + "\n")
			}
		}
		again, err := credhelper.ParseGit(strings.NewReader(lines.String()))
		if err != nil || !cmp.Equal(q, again) {
			t.Errorf("%q came back as %+v, %v", lines.String(), again, err)
		}
	})
}

// FuzzGitAnswer holds that an answer is read as it was meant, or is none: never
// a line more.
func FuzzGitAnswer(f *testing.F) {
	f.Add("x-access-token", "gho_1", int64(0))
	f.Add("u\nhost=evil", "p", int64(1))
	f.Add("u", "p\r\nquit=1", int64(-1))
	f.Fuzz(func(t *testing.T, username, password string, expires int64) {
		a := credhelper.GitAnswer{Username: username, Password: secret.New(password)}
		if expires != 0 {
			a.Expires = time.Unix(expires, 0)
		}
		text, err := a.Print()
		if err != nil {
			return
		}
		want := map[string]int{}
		for _, key := range []string{"username=", "password=", "password_expiry_utc="} {
			want[key] = strings.Count("\n"+text, "\n"+key)
		}
		if n := strings.Count(text, "\n"); n != want["username="]+want["password="]+want["password_expiry_utc="] || n > 3 {
			t.Fatalf("%q has other lines than an answer", text)
		}
		got, err := credhelper.ParseGit(strings.NewReader(text))
		if err != nil || got.Username != username || got.Password.Reveal() != password || got.Host != "" || got.Protocol != "" {
			t.Errorf("%q is read as %+v, %v", text, got, err)
		}
	})
}
