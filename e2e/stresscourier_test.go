package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// A courier stands before a token endpoint. It keeps the first refresh request
// with each refresh token that it is to keep, whose sender can be killed then,
// and delivers it some time after the same token was sent again and answered:
// as networks and queues do with what a dead process has left in them.
type courier struct {
	t      *testing.T
	target string // the token endpoint
	late   time.Duration
	kept   chan struct{} // one value for each request that is kept

	server *httptest.Server
	mu     sync.Mutex
	keep   bool
	mail   map[string]*letter // by refresh token
}

// A letter is a request that is kept.
type letter struct {
	header    http.Header
	body      string
	answered  bool          // the same token, sent again
	delivered bool          // this one, finally
	after     time.Duration // how long after that it was delivered
}

func newCourier(t *testing.T, target string, late time.Duration) *courier {
	c := &courier{t: t, target: target, late: late, keep: true, kept: make(chan struct{}, 64), mail: make(map[string]*letter)}
	c.server = httptest.NewServer(c)
	t.Cleanup(c.server.Close)
	return c
}

func (c *courier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	form, bad := url.ParseQuery(string(body))
	if err != nil || bad != nil {
		return // its sender is gone
	}
	token := form.Get("refresh_token")
	c.mu.Lock()
	l := c.mail[token]
	if l == nil && token != "" && c.keep {
		c.mail[token] = &letter{header: r.Header.Clone(), body: string(body)}
		c.mu.Unlock()
		c.kept <- struct{}{}
		<-r.Context().Done()
		return
	}
	c.mu.Unlock()

	resp, err := c.post(r.Header, string(body))
	if err != nil {
		c.t.Errorf("passing a request on: %v", err)
		return
	}
	defer resp.Body.Close()
	answered := time.Now()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // its receiver may be gone

	c.mu.Lock()
	defer c.mu.Unlock()
	if l != nil && !l.answered {
		l.answered = true
		time.AfterFunc(c.late, func() { c.deliver(l, answered) })
	}
}

func (c *courier) deliver(l *letter, answered time.Time) {
	sent := time.Now()
	resp, err := c.post(l.header, l.body)
	if err != nil {
		c.t.Errorf("delivering a request: %v", err)
		return
	}
	resp.Body.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	l.delivered, l.after = true, sent.Sub(answered)
}

func (c *courier) post(header http.Header, body string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodPost, c.target, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = header.Clone()
	return http.DefaultClient.Do(req)
}

// pass has the courier keep nothing any more.
func (c *courier) pass() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep = false
}

// wait waits until everything is delivered and returns the longest that any of
// it came after the answer.
func (c *courier) wait() (slowest time.Duration) {
	c.t.Helper()
	oidcprovider.Poll(c.t, "the late requests", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, l := range c.mail {
			if !l.delivered {
				return false
			}
			slowest = max(slowest, l.after)
		}
		return true
	})
	return slowest
}
