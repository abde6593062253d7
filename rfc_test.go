package usher_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/secret"
)

// witness answers everything with JSON that suits every call, and keeps the
// requests.
type witness struct {
	seen     []*http.Request
	answered func() // called with each answer, unless nil
}

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(sent)
	}
	kept := r.Clone(context.Background())
	kept.Body = io.NopCloser(strings.NewReader(body))
	w.seen = append(w.seen, kept)
	if w.answered != nil {
		w.answered()
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"id":"l-1","key":"github","status":"authorized","access_token":"at-1","token_type":"Bearer"}`)),
	}, nil
}

func TestRFC6750_16_BearerGoesInTheHeaderAlone(t *testing.T) {
	ctx := t.Context()
	var w witness
	c := &usher.Client{Bearer: secret.New(bearer), HTTPClient: &http.Client{Transport: &w}}
	calls := map[string]func() error{
		"StartLogin": func() error { _, err := c.StartLogin(ctx, usher.StartLogin{Key: "github"}); return err },
		"Login": func() error {
			l, err := c.Login(ctx, "github", usher.LoginOptions{})
			if err == nil {
				_, err = l.Wait(ctx)
			}
			return err
		},
		"ResumeLogin": func() error { _, err := c.ResumeLogin(ctx, "l-1"); return err },
		"GetLogin":    func() error { _, err := c.GetLogin(ctx, "l-1"); return err },
		"WaitLogin":   func() error { _, err := c.WaitLogin(ctx, "l-1"); return err },
		"CancelLogin": func() error { _, err := c.CancelLogin(ctx, "l-1"); return err },
		"Logins":      func() error { _, err := c.Logins(ctx); return err },
		"Token":       func() error { _, err := c.Token(ctx, usher.TokenRequest{Key: "github"}); return err },
		"Credentials": func() error { _, err := c.Credentials(ctx); return err },
		"Credential":  func() error { _, err := c.Credential(ctx, "github"); return err },
		"Logout": func() error {
			_, err := c.Logout(ctx, usher.LogoutRequest{Key: "github", KeepRemote: true})
			return err
		},
		"Providers":    func() error { _, err := c.Providers(ctx); return err },
		"Status":       func() error { _, err := c.Status(ctx); return err },
		"Capabilities": func() error { _, err := c.Capabilities(ctx); return err },
	}
	for name, call := range calls {
		w.seen = nil
		if err := call(); err != nil || len(w.seen) == 0 {
			t.Errorf("%s: %d requests, error %v", name, len(w.seen), err)
		}
		wantBearer(t, name, w.seen)
	}
	// These get no answer of use to them; what they send is the point. A
	// stream comes again until it is told to end.
	w.seen = nil
	_ = c.Health(ctx)
	_, _ = c.CreateSession(ctx)
	for _, stream := range []func(context.Context){
		func(ctx context.Context) {
			for range c.Events(ctx, "e-1") {
				break
			}
		},
		func(ctx context.Context) {
			for range c.SessionEvents(ctx, "s-1", 7) {
				break
			}
		},
	} {
		ending, end := context.WithCancel(ctx)
		w.answered = end
		stream(ending)
		end()
	}
	if len(w.seen) != 4 {
		t.Errorf("%d requests, want 4", len(w.seen))
	}
	wantBearer(t, "Health, sessions and streams", w.seen)
}

func wantBearer(t *testing.T, name string, requests []*http.Request) {
	t.Helper()
	for _, r := range requests {
		if got := r.Header.Values("Authorization"); !slices.Equal(got, []string{"Bearer " + bearer}) {
			t.Errorf("%s: Authorization %q", name, got)
		}
		for header, values := range r.Header {
			if header != "Authorization" && strings.Contains(strings.Join(values, " "), bearer) {
				t.Errorf("%s: the bearer is in %s too", name, header)
			}
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if text := r.URL.String() + string(body); strings.Contains(text, bearer) || strings.Contains(text, "access_token") {
			t.Errorf("%s: the bearer is in the request for %s", name, r.URL)
		}
	}
}

// The document says what can go wrong, what is done about it and what remains,
// with the numbers of the code.
func TestRFC10027_102_RiskAssessmentIsWrittenDown(t *testing.T) {
	text, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Risk assessment (RFC 10027)\n")
	if !found {
		t.Fatal("docs/security.md has no section on the risk")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	section = strings.Join(strings.Fields(section), " ")
	for _, point := range []string{
		// The risk: which flow, and who is fooled how.
		"RFC 8628", "What can go wrong.", "send you its link", "*their* account",
		// What is done: rules 103 to 107 of the checklist.
		"What usher does.", "Who, what, where", "did not start this", "no event, list, audit record or log",
		"an hour at most", "scopes that are configured or given",
		// What is left.
		"What remains.", "On the same machine as a browser", "Sender-constrained tokens",
	} {
		if !strings.Contains(section, point) {
			t.Errorf("the section lacks %q", point)
		}
	}
	if limit := map[int]string{3: "Three", 4: "Four", 5: "Five", 8: "Eight"}[login.DefaultMaxActive]; limit == "" || !strings.Contains(section, limit+" logins may be pending at once") {
		t.Errorf("the section does not tell that %d logins may be pending at once", login.DefaultMaxActive)
	}
}
