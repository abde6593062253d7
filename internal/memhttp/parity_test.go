package memhttp_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/internal/memhttp"
)

// outcome is what a client can tell of an exchange.
type outcome struct {
	Failed   bool // no answer at all
	Status   string
	Header   http.Header
	Length   int64
	Body     string
	BodyFail bool // the body did not end properly
}

// TestSameAsAServer runs each handler behind a Transport and behind a real
// server: a client must see the same.
func TestSameAsAServer(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"text":    func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") },
		"html":    func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") },
		"error":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) },
		"large":   func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", 100_000)) },
		"fits":    func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", 2048)) },
		"exceeds": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", 2049)) },
		"flushed": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			io.WriteString(w, "b")
		},
		"flushed at once": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
		"first status counts": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			w.WriteHeader(http.StatusAccepted)
		},
		"late header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Early", "1")
			w.WriteHeader(http.StatusOK)
			w.Header().Set("X-Late", "1")
		},
		"own content type": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, "{}")
		},
		"no content":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"not modified": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"body not allowed": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			if _, err := io.WriteString(w, "a"); err != http.ErrBodyNotAllowed {
				panic(err)
			}
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) },
		"cookie":   func(w http.ResponseWriter, _ *http.Request) { http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"}) },
		"declared length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "hello")
		},
		"too short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			io.WriteString(w, "hello")
		},
		"too long": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1")
			io.WriteString(w, "a")
			if _, err := io.WriteString(w, "b"); err != http.ErrContentLength {
				panic(err)
			}
		},
		"aborted": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "lost")
			panic(http.ErrAbortHandler)
		},
		"aborted later": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "seen")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		"echo": func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(err)
			}
			r.Header.Del("User-Agent")      // memhttp sends what it is given,
			r.Header.Del("Accept-Encoding") // http.Transport adds these
			r.Header.Del("Content-Length")  // and names what is a field
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, strings.Join([]string{r.Method, r.RequestURI, r.URL.String(), r.Host, r.Proto,
				r.FormValue("q"), cmp.Diff(http.Header{}, r.Header), string(body)}, "\n"))
		},
	}
	requests := map[string]func() *http.Request{
		"get":  func() *http.Request { return newRequest(t, http.MethodGet, "/a%20b?q=1&q=2", nil) },
		"head": func() *http.Request { return newRequest(t, http.MethodHead, "/", nil) },
		"post": func() *http.Request {
			r := newRequest(t, http.MethodPost, "/", strings.NewReader("a=b"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Add("X-Two", "1")
			r.Header.Add("X-Two", "2")
			return r
		},
		"stream": func() *http.Request {
			return newRequest(t, http.MethodPut, "/", io.MultiReader(strings.NewReader("a"), strings.NewReader("b")))
		},
		"own host": func() *http.Request {
			r := newRequest(t, http.MethodGet, "/", nil)
			r.Host = "other.example"
			return r
		},
	}
	for name, handler := range handlers {
		for kind, request := range requests {
			t.Run(name+"/"+kind, func(t *testing.T) {
				server := httptest.NewUnstartedServer(handler)
				server.Config.ErrorLog = log.New(io.Discard, "", 0)
				server.Start()
				defer server.Close()
				// The URL says where to send it; Host stays as it was.
				real := request()
				real.URL.Host = server.Listener.Addr().String()
				want := exchange(http.DefaultTransport, real)
				got := exchange(&memhttp.Transport{Handler: handler}, request())
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("outcome (-server +memhttp):\n%s", diff)
				}
			})
		}
	}
}

func newRequest(t *testing.T, method, target string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://idp.example"+target, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func exchange(rt http.RoundTripper, r *http.Request) outcome {
	resp, err := rt.RoundTrip(r)
	if err != nil {
		return outcome{Failed: true}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if _, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		resp.Header.Set("Date", "a time")
	}
	return outcome{
		Status:   resp.Status,
		Header:   resp.Header,
		Length:   resp.ContentLength,
		Body:     string(body),
		BodyFail: err != nil,
	}
}
