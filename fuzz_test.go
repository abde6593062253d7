package usher_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/usherauth/usher"
)

// answering is a daemon that answers everything with one answer.
type answering struct {
	status      int
	contentType string
	body        string
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {a.contentType}}, Body: io.NopCloser(strings.NewReader(a.body)),
	}, nil
}

// FuzzAnswers: whatever a daemon answers, a call gives a value or an *Error
// with a code.
func FuzzAnswers(f *testing.F) {
	f.Add(200, "application/json", `{"access_token":"x"}`)
	f.Add(409, "application/problem+json", `{"code":"login_needed","detail":"x","status":409}`)
	f.Add(400, "application/json", `{"error":"x","code":"unsupported_provider"}`)
	f.Add(502, "text/html", "<html>")
	f.Fuzz(func(t *testing.T, status int, contentType, body string) {
		if status < 200 || status > 599 {
			return // net/http reports no other
		}
		c := &usher.Client{HTTPClient: &http.Client{Transport: answering{status, contentType, body}}}
		_, tokenErr := c.Token(t.Context(), usher.TokenRequest{Key: "github"})
		_, loginErr := c.GetLogin(t.Context(), "x")
		_, statusErr := c.Status(t.Context())
		for _, err := range []error{tokenErr, loginErr, statusErr} {
			var e *usher.Error
			if err != nil && (!errors.As(err, &e) || e.Code == "") {
				t.Errorf("%d %q: %v has no code", status, body, err)
			}
		}
	})
}
