package scripttest

import (
	"crypto/rand"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/sandbox"
	"github.com/usherauth/usher/secret"
)

// TestNoLeak drives the binary at full debug through logins, refreshes and
// logouts, good and bad ones, and searches everything that it let out for
// secrets: outputs, files outside of the store, command lines, environments,
// HTTP bodies and the event stream. Left out is only where the token is what was
// asked for: standard output of usher token and the body of /v1/token.
func TestNoLeak(t *testing.T) {
	t.Parallel()
	for _, m := range []mode{alone, daemon} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			l := newLeakTest(t, binary, m)
			l.run()
			l.checkControls()
			for name, needles := range l.secrets() {
				for _, needle := range needles {
					for _, where := range l.find(needle) {
						t.Errorf("%s leaks into %s", name, where)
					}
				}
			}
		})
	}
}

// TestNoLeakBites builds a binary that logs a token and wants it found.
func TestNoLeakBites(t *testing.T) {
	t.Parallel()
	leaky := filepath.Join(t.TempDir(), "usher")
	if err := build(leaky, "-tags=leakcanary"); err != nil {
		t.Fatal(err)
	}
	for m, culprit := range map[mode]string{alone: "stderr of token box", daemon: "stderr of serve"} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			l := newLeakTest(t, leaky, m)
			l.run()
			if found := strings.Join(l.find(l.canary), "\n"); !strings.Contains(found, culprit) {
				t.Errorf("the token that was logged is not found in %s, but in: %q", culprit, found)
			}
		})
	}
}

// leakTest is one run of the leak test.
type leakTest struct {
	evidence
	t       *testing.T
	binary  string
	mode    mode
	base    string
	box     box
	canary  string // in every secret of the sandbox
	client  string // the client's secret
	tokens  string // what usher token printed
	daemon  *process
	address string
	bearer  string
	watched sync.WaitGroup
}

func newLeakTest(t *testing.T, binary string, m mode) *leakTest {
	base, err := os.MkdirTemp("", "us")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	l := &leakTest{
		evidence: evidence{seen: map[string]int{}}, t: t, binary: binary, mode: m, base: base,
		canary: "CANARY" + rand.Text()[:12], client: "SECRET" + rand.Text(),
	}
	// Each way of sending the client's secret in one of the modes.
	style := map[mode]sandbox.AuthStyle{alone: sandbox.AuthPost, daemon: sandbox.AuthBasic}[m]
	err = l.box.open(sandbox.Config{
		Interval: 1, TokenLifetime: 4 * time.Second, Canary: l.canary,
		Clients: []sandbox.Client{{ID: "desk", Secret: secret.New(l.client), AuthStyle: style}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.box.close)
	for _, dir := range []string{"tmp", "work"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(base, "client-secret"), []byte(l.client+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *leakTest) home() string { return filepath.Join(l.base, "data") }

// secrets are what must not be found: name -> texts.
func (l *leakTest) secrets() map[string][]string {
	l.t.Helper()
	found := map[string][]string{
		"a secret of the provider": {l.canary},
		"the client's secret":      {l.client},
	}
	for _, r := range l.box.sandbox.RecordWithSecrets().Requests {
		form, err := url.ParseQuery(r.Raw.Body)
		if err == nil && form.Get("code_verifier") != "" {
			found["a code verifier"] = append(found["a code verifier"], form.Get("code_verifier"))
		}
	}
	if found["a code verifier"] == nil {
		l.t.Error("the sandbox saw no code verifier")
	}
	for name, file := range map[string]string{"the daemon's token": "server-token", "the key of the aliases": "alias-key"} {
		text, err := os.ReadFile(filepath.Join(l.home(), file))
		if err == nil {
			found[name] = []string{strings.TrimSpace(string(text))}
		} else if l.mode == daemon || file == "alias-key" {
			l.t.Error(err)
		}
	}
	return found
}

// checkStored makes sure that secrets in files are found, where they belong.
func (l *leakTest) checkStored() {
	l.t.Helper()
	var stored evidence
	stored.addFiles(l.t, filepath.Join(l.home(), "credentials"))
	if stored.find(l.canary) == nil {
		l.t.Error("the canary is not found in the store")
	}
}

// checkControls makes sure that the test looked at something: the canary was
// issued, handed out and stored, and the processes were watched.
func (l *leakTest) checkControls() {
	l.t.Helper()
	kinds := map[string]bool{}
	for _, s := range l.box.sandbox.RecordWithSecrets().Secrets {
		if strings.Contains(s.Value, l.canary) {
			kinds[s.Kind] = true
		}
	}
	for _, kind := range []string{"device_code", "access_token", "refresh_token"} {
		if !kinds[kind] {
			l.t.Errorf("the sandbox issued no %s with the canary", kind)
		}
	}
	if n := strings.Count(l.tokens, l.canary); n < 3 {
		l.t.Errorf("usher token handed out %d tokens with the canary, want 3 or more", n)
	}
	for name, n := range map[mode]map[string]int{
		alone:  {"login": 50, "token": 1, "logout": 1},
		daemon: {"serve": 500, "login": 50, "token": 1, "logout": 1},
	}[l.mode] {
		if got := l.samples(name); got < n {
			l.t.Errorf("%d samples of command line and environment of usher %s, want %d or more", got, name, n)
		}
	}
	if n := l.box.numbers()["refreshes_granted"]; n == 0 {
		l.t.Error("nothing was refreshed")
	}
}
