package cli_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/cli"
	"github.com/usherauth/usher/sandbox"
)

// machine is one person's usher and the provider "here", which approves each
// login after a second.
type machine struct {
	t    *testing.T
	dir  string
	told map[string]any // the device authorization as the provider answered it
}

// newMachine makes a machine. change changes what the provider answers to a
// device authorization request; nil changes nothing.
func newMachine(t *testing.T, change func(map[string]any)) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir()}
	as, err := sandbox.New(sandbox.Config{Approve: sandbox.ApproveAuto, AutoAfterPolls: -1, Interval: 1})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if "http://"+r.Host+r.URL.Path != as.DeviceURL() {
			as.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		as.ServeHTTP(answer, r)
		told := map[string]any{}
		if err := json.Unmarshal(answer.Body.Bytes(), &told); err != nil {
			t.Errorf("device authorization: %d %s", answer.Code, answer.Body)
		}
		if change != nil {
			change(told)
		}
		m.told = told
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(told); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(srv.Close)
	if err := as.SetIssuer(srv.URL); err != nil {
		t.Fatal(err)
	}
	m.run("provider", "add", "here", "--issuer", srv.URL, "--client-id", "test", "--title", "The House",
		"--scope", "openid", "--scope", "email")
	return m
}

// screen is a terminal that keeps what was written to it.
type screen struct{ bytes.Buffer }

func (*screen) Size() (columns, rows int) { return 100, 60 }

// run runs a command that has to succeed, with standard error on a terminal.
func (m *machine) run(args ...string) (out, shown string) {
	m.t.Helper()
	var result bytes.Buffer
	var said screen
	env := map[string]string{
		"USHER_HOME": filepath.Join(m.dir, "data"), "USHER_CONFIG": filepath.Join(m.dir, "config.toml"), "HOME": m.dir, "NO_COLOR": "1",
	}
	code := cli.Main(m.t.Context(), args, cli.Stdio{
		In: strings.NewReader(""), Out: &result, Err: &said, Getenv: func(name string) string { return env[name] },
	})
	if code != 0 {
		m.t.Fatalf("usher %v: exit %d: %s", args, code, said.String())
	}
	return result.String(), said.String()
}

func (m *machine) answered(name string) string {
	s, _ := m.told[name].(string)
	return s
}

// shown logs in and returns what the person saw while the login was pending,
// and what after it.
func (m *machine) shown(args ...string) (pending, after string) {
	m.t.Helper()
	_, text := m.run(append([]string{"login", "here"}, args...)...)
	pending, after, found := strings.Cut(text, "Logged in to The House")
	if !found || m.answered("user_code") == "" {
		m.t.Fatalf("no whole login: %s", text)
	}
	return pending, after
}

// The link is a line of its own, letter by letter the provider's: nothing leads
// there by way of another place, and nothing is added that tells who came.
func TestRFC8628_39_LinkIsTextAndUntouched(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(map[string]any){
		"complete": nil,
		"plain":    func(told map[string]any) { delete(told, "verification_uri_complete") },
	} {
		for _, args := range [][]string{nil, {"--qr=never"}} {
			m := newMachine(t, change)
			text, _ := m.shown(args...)
			want := m.answered("verification_uri_complete")
			if name == "plain" {
				want = m.answered("verification_uri")
			}
			lines := strings.Split(strings.ReplaceAll(text, "\r", ""), "\n")
			if !slices.Contains(lines, want) {
				t.Errorf("%s, %q: no line is %s:\n%s", name, args, want, text)
			}
			for _, given := range []string{want, m.answered("verification_uri")} {
				text = strings.ReplaceAll(text, given, "")
			}
			if strings.Contains(text, "://") {
				t.Errorf("%s, %q: there is a link that the provider did not give:\n%s", name, args, text)
			}
		}
	}
}

func TestRFC8628_43_CodeIsShownAsTheProviderSpeltIt(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil)
	text, _ := m.shown()
	code := m.answered("user_code")
	link := m.answered("verification_uri_complete")
	if !strings.Contains(strings.ReplaceAll(text, link, ""), code) {
		t.Errorf("beside the link the code %s is not shown:\n%s", code, text)
	}
	// Another spelling of the same code.
	m = newMachine(t, func(told map[string]any) {
		for name, v := range told {
			if s, ok := v.(string); ok {
				told[name] = strings.ReplaceAll(s, told["user_code"].(string), "wdjb-mjht")
			}
		}
		told["user_code"] = "wdjb-mjht"
	})
	if text, _ = m.shown(); !strings.Contains(strings.ReplaceAll(text, m.answered("verification_uri_complete"), ""), "wdjb-mjht") {
		t.Errorf("the code wdjb-mjht is not shown:\n%s", text)
	}
}

func TestRFC8628_44_PersonIsToldToStopWhatTheyDidNotStart(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--qr=never"}, {"--json"}} {
		m := newMachine(t, nil)
		text, after := m.shown(args...)
		if !strings.Contains(text, "If you did not start this, press Ctrl-C.") {
			t.Errorf("%q: no warning:\n%s", args, text)
		}
		if strings.Contains(after, "If you did not start this") {
			t.Errorf("%q: the warning comes too late:\n%s", args, after)
		}
	}
}

// Once it is spent the code is in no output and in no file.
func TestRFC8628_45_CodeIsNotShownAfterTheEnd(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil)
	out, text := m.run("login", "here", "--json")
	code := m.answered("user_code")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], code) || !strings.Contains(text, code) {
		t.Fatalf("the code %s was not shown: %s\n%s", code, out, text)
	}
	_, after, _ := strings.Cut(text, "Logged in to The House")
	status, said := m.run("status", "here", "--json")
	for name, text := range map[string]string{
		"the ended login": lines[1], "the end": after, "the status": status + said,
	} {
		if strings.Contains(text, code) || strings.Contains(text, m.answered("verification_uri")) {
			t.Errorf("%s still shows the code: %s", name, text)
		}
	}
	files := 0
	err := filepath.WalkDir(filepath.Join(m.dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(code)) {
			t.Errorf("%s still holds the code", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files in the data folder, %v", files, err)
	}
}

func TestRFC10027_104_TextTellsWhoWhatAndWhere(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	m := newMachine(t, nil)
	for _, tt := range []struct {
		args   []string
		scopes []string
	}{
		{nil, []string{"openid", "email"}},
		{[]string{"--scope", "profile"}, []string{"profile"}},
	} {
		text, _ := m.shown(tt.args...)
		// All of it stands before the link that would be opened.
		text, _, found := strings.Cut(text, m.answered("verification_uri"))
		if !found {
			t.Fatal("no link")
		}
		for _, want := range append([]string{"The House", "here", me.Username + "@" + host}, tt.scopes...) {
			if !strings.Contains(text, want) {
				t.Errorf("%q: before the link the text lacks %q:\n%s", tt.args, want, text)
			}
		}
	}
}

// A person who cannot use the complete link or the QR code reads out the plain
// link and the code.
func TestRFC8628_38_CodeAndPlainLinkAreAlwaysShown(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(map[string]any){
		"complete": nil,
		"plain":    func(told map[string]any) { delete(told, "verification_uri_complete") },
		"another path": func(told map[string]any) {
			complete, code := told["verification_uri_complete"].(string), told["user_code"].(string)
			told["verification_uri_complete"] = strings.ReplaceAll(complete, "/device?user_code="+code, "/go/"+code)
		},
	} {
		for _, args := range [][]string{nil, {"--qr=never"}, {"--json"}} {
			m := newMachine(t, change)
			text, _ := m.shown(args...)
			code, uri, complete := m.answered("user_code"), m.answered("verification_uri"), m.answered("verification_uri_complete")
			rest := text
			if complete != "" {
				if !strings.Contains(text, complete) {
					t.Errorf("%s, %q: the complete link is not shown:\n%s", name, args, text)
				}
				rest = strings.ReplaceAll(text, complete, "")
			}
			if !strings.Contains(rest, code) {
				t.Errorf("%s, %q: beside the link there is no code:\n%s", name, args, text)
			}
			if !strings.Contains(rest, uri) {
				t.Errorf("%s, %q: the plain link is not shown of its own:\n%s", name, args, text)
			}
		}
	}
}
