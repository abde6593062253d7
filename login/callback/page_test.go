package callback_test

import (
	"context"
	"strings"
	"testing"

	"github.com/usherauth/usher/login/callback"
	"github.com/usherauth/usher/secret"
)

// The page tells the truth, and whatever is not the end leaves the way open for
// the answer that is.
func TestPages(t *testing.T) {
	l := listen(t, callback.Config{Provider: "acme"})
	outcomes := make(chan callback.Outcome, 1)
	var delivered []string
	serve(t, l, func(_ context.Context, u secret.String) callback.Outcome {
		delivered = append(delivered, u.Reveal())
		return <-outcomes
	})
	const query = "code=<script>c0de&state=st4te&iss=https%3A%2F%2Fid.example&error_description=%3Cscript%3E"
	for _, tt := range []struct {
		outcome callback.Outcome
		status  int
		says    string
	}{
		{callback.Stray, 400, "does not belong to this login"},
		{callback.Unsent, 502, "reload this page"},
		{callback.Unfinished, 202, "has arrived"},
		{callback.LoggedIn, 200, "You are logged in to Acme. You can close this page."},
		{-1, 410, "This login is over."},
	} {
		if tt.outcome >= 0 {
			outcomes <- tt.outcome
		}
		a := send(t, l, "127.0.0.1", get("/callback/acme?"+query))
		if a.status != tt.status || !strings.Contains(words(a.body), tt.says) {
			t.Errorf("outcome %d: %d %q", tt.outcome, a.status, words(a.body))
		}
		checkPage(t, a)
	}
	want := l.RedirectURI() + "?" + query
	for _, got := range delivered {
		if got != want {
			t.Errorf("delivered %s, want %s", got, want)
		}
	}
	if len(delivered) != 4 {
		t.Errorf("delivered %d times, want 4", len(delivered))
	}
}

func TestPagesOfOtherEnds(t *testing.T) {
	for outcome, says := range map[callback.Outcome]string{
		callback.Denied: "Acme denied the login.",
		callback.Failed: "The login to Acme did not work.",
		callback.Over:   "This login is over.",
	} {
		l := listen(t, callback.Config{Provider: "acme"})
		serve(t, l, always(outcome))
		a := send(t, l, "127.0.0.1", get("/callback/acme?error=access_denied&state=s"))
		if !strings.Contains(words(a.body), says) {
			t.Errorf("outcome %d: %q, want %q", outcome, words(a.body), says)
		}
		checkPage(t, a)
		if a := send(t, l, "127.0.0.1", get("/callback/acme?code=c&state=s")); a.status != 410 {
			t.Errorf("after outcome %d: %d", outcome, a.status)
		}
	}
}

// words is the text of a page.
func words(page string) string {
	_, body, _ := strings.Cut(page, "<body>")
	var text strings.Builder
	for part := range strings.SplitSeq(body, "<") {
		_, after, _ := strings.Cut(part, ">")
		text.WriteString(after)
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

func checkPage(t *testing.T, a answer) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; ", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Content-Type": "text/html; charset=utf-8",
	} {
		if !strings.HasPrefix(a.header.Get(name), want) {
			t.Errorf("header %s: %q, want %q", name, a.header.Get(name), want)
		}
	}
	if !a.last {
		t.Error("the connection is kept")
	}
	if len(a.header["Set-Cookie"])+len(a.header["Access-Control-Allow-Origin"]) > 0 {
		t.Errorf("headers %v", a.header)
	}
	for _, bad := range []string{"c0de", "st4te", "script", "id.example", "href", "src="} {
		if strings.Contains(a.body, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if !strings.Contains(a.body, `name="viewport"`) || !strings.Contains(a.body, "light dark") {
		t.Error("the page does not fit a phone, or the night")
	}
}
