package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/e2e/apispec"
)

// A wire is a client that sends what it is told to, right or wrong, through the
// proxy that holds it against the document.
type wire struct {
	t      *testing.T
	url    string
	token  string
	client *http.Client
}

// wire is a client on TCP that presents the daemon's token, if there is one.
func (h *home) wire() *wire {
	h.t.Helper()
	w := &wire{t: h.t, url: h.url(), client: &http.Client{Transport: &http.Transport{
		ExpectContinueTimeout: 10 * time.Second, DisableCompression: true,
	}}}
	if !strings.Contains(strings.Join(h.flags, " "), "--no-auth") {
		w.token = h.bearer()
	}
	return w
}

// ownerWire is a client on the owner's socket.
func (h *home) ownerWire() *wire {
	h.t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", h.dir+"/daemon.sock")
	}
	return &wire{t: h.t, url: "http://usher", client: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// as is w as a client with an id.
func (w *wire) as(id string) *header {
	return (&header{w: w, h: http.Header{}}).with("X-Qwen-Client-Id", id)
}

// with is w with a header in each request.
func (w *wire) with(name, value string) *header {
	return (&header{w: w, h: http.Header{}}).with(name, value)
}

// A header is a wire with further headers.
type header struct {
	w *wire
	h http.Header
}

func (h *header) with(name, value string) *header {
	h.h.Add(name, value)
	return h
}

// do makes a request; body is JSON text or empty.
func (w *wire) do(method, path, body string) *answer { return w.send(nil, method, path, body) }

func (h *header) do(method, path, body string) *answer { return h.w.send(h.h, method, path, body) }

// An answer is a whole answer.
type answer struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   []byte
}

func (w *wire) send(header http.Header, method, path, body string) *answer {
	w.t.Helper()
	response := w.open(w.t.Context(), header, method, path, body)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return &answer{w.t, method + " " + path, response.StatusCode, response.Header, text}
}

// open makes a request whose answer may go on.
func (w *wire) open(ctx context.Context, header http.Header, method, path, body string) *http.Response {
	w.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if w.token != "" {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if len(body) > 60<<10 {
		r.Header.Set("Expect", "100-continue") // it is to be refused unread
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
		r.Header.Del("Host")
	}
	response, err := w.client.Do(r)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return response
}

// want checks the status and, unless it is empty, the error code.
func (a *answer) want(status int, code string) *answer {
	a.t.Helper()
	if a.status != status || code != "" && a.str("code") != code {
		a.t.Errorf("%s answered %d %s, want %d %s", a.what, a.status, bytes.TrimSpace(a.body), status, code)
	}
	return a
}

// str is a text member of the body.
func (a *answer) str(name string) string {
	var members map[string]any
	json.Unmarshal(a.body, &members)
	return text(members[name])
}

// raw sends bytes that no client library would, and has the answer checked as
// that to a request for target.
func (h *home) raw(method, target, sent string) *answer {
	h.t.Helper()
	network, address := h.tcp.Forwards()
	c, err := net.Dial(network, address)
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		h.t.Fatal(err)
	}
	if _, err := io.WriteString(c, strings.ReplaceAll(sent, "HOST", address)); err != nil {
		h.t.Fatal(err)
	}
	text, err := io.ReadAll(c)
	if err != nil {
		h.t.Fatal(err)
	}
	head, body, _ := bytes.Cut(text, []byte("\r\n\r\n"))
	a := &answer{t: h.t, what: fmt.Sprintf("%q", sent), header: http.Header{}, body: body}
	for i, line := range strings.Split(string(head), "\r\n") {
		if name, value, found := strings.Cut(line, ": "); found {
			a.header.Add(name, value)
		} else if i == 0 {
			fmt.Sscanf(line, "HTTP/1.1 %d", &a.status)
		}
	}
	r, err := http.NewRequest(method, "http://daemon"+target, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := spec.Check(apispec.Exchange{Request: r, Status: a.status, Header: a.header, Body: body}); err != nil {
		deviates(err)
	}
	return a
}
