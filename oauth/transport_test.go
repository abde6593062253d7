package oauth_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

func TestHTTP_119_NoRedirectOnPost(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			target := countBytes(t)
			srv := answers(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "http://"+target.addr+"/steal")
				w.WriteHeader(status)
			})
			c := srv.client()
			c.Secret, c.AuthStyle = secret.New("s3cret"), oauth.AuthPost
			// Neither the shared client nor one that would follow may lead there.
			for _, hc := range []*http.Client{nil, {}, http.DefaultClient} {
				c.HTTP = hc
				for _, err := range everyPost(t, c) {
					wantError(t, err, oauth.KindRedirect, oauth.Answered, "")
				}
			}
			if n := srv.count(); n != 15 {
				t.Errorf("server saw %d requests, want 15", n)
			}
			if conns, n := target.conns.Load(), target.bytes.Load(); conns != 0 || n != 0 {
				t.Errorf("target saw %d connections and %d bytes, want none", conns, n)
			}
		})
	}
}

// everyPost makes each request that carries a secret.
func everyPost(t *testing.T, c *oauth.Client) []error {
	_, device := c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{})
	_, poll := c.PollDevice(t.Context(), secret.New("dc-1"), secret.New("v"))
	_, refresh := c.Refresh(t.Context(), oldToken)
	_, code := c.ExchangeCode(t.Context(), secret.New("c"), "http://127.0.0.1:1/cb", secret.New("v"))
	return []error{device, poll, refresh, code, c.Revoke(t.Context(), secret.New("rt-1"), "")}
}

type byteCounter struct {
	addr         string
	conns, bytes atomic.Int64
}

// countBytes listens and counts what arrives.
func countBytes(t *testing.T) *byteCounter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	b := &byteCounter{addr: ln.Addr().String()}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			b.conns.Add(1)
			n, _ := io.Copy(io.Discard, conn)
			b.bytes.Add(n)
			conn.Close()
		}
	}()
	return b
}

func TestHTTP_120_NoCookieIsKept(t *testing.T) {
	srv := answers(t, func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "1"})
		io.WriteString(w, goodToken)
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := srv.client()
	c.HTTP = &http.Client{Jar: jar}
	for range 2 {
		if _, err := c.Refresh(t.Context(), oldToken); err != nil {
			t.Fatal(err)
		}
	}
	if got := srv.requests[1].Header.Get("Cookie"); got != "" {
		t.Errorf("cookie %q was sent back", got)
	}
}

func TestHTTP_122_RetryAfterIsClamped(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-": 0, "0": time.Second, "-1": time.Second, "0.2": time.Second, "7": 7 * time.Second,
		"3600": time.Hour, "3601": time.Hour, "1e9": time.Hour, "99999999999": time.Hour, "1e999": time.Hour,
		"Thu, 01 Jan 1970 00:00:00 GMT": time.Second, "Tue, 01 Jan 2999 00:00:00 GMT": time.Hour,
	} {
		srv := answers(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(429)
		})
		_, err := srv.client().Refresh(t.Context(), oldToken)
		wantError(t, err, oauth.KindRateLimited, oauth.Answered, "")
		if got := asError(t, err).RetryAfter; got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

func TestHTTP_123_UserAgentIdentifiesUs(t *testing.T) {
	for _, tt := range []struct{ set, want string }{{"", "usher"}, {"usher/1.2 (linux)", "usher/1.2 (linux)"}} {
		srv := says(t, 200, goodToken)
		c := srv.client()
		c.UserAgent = tt.set
		if _, err := c.Refresh(t.Context(), oldToken); err != nil {
			t.Fatal(err)
		}
		if got := srv.only(t).Header.Get("User-Agent"); got != tt.want {
			t.Errorf("User-Agent %q, want %q", got, tt.want)
		}
	}
}

func TestNotSent(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "https://" + closed.Addr().String() + "/token"
	closed.Close()
	noDNS := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "op.example", IsNotFound: true}
	}}}
	deadProxy := &http.Client{Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("no proxy today") }}}
	for _, tt := range []struct {
		name, endpoint string
		hc             *http.Client
		kind           oauth.Kind
	}{
		{"connection refused", refused, nil, oauth.KindNetwork},
		{"unknown host", "https://op.example/token", noDNS, oauth.KindNetwork},
		{"no proxy", "https://op.example/token", deadProxy, oauth.KindNetwork},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &oauth.Client{HTTP: tt.hc, ID: "cli", Endpoints: oauth.Endpoints{Token: tt.endpoint}}
			_, err := c.Refresh(t.Context(), oldToken)
			wantError(t, err, tt.kind, oauth.NotSent, "")
		})
	}
}

func TestTLSIsVerifiedBeforeAnythingIsSent(t *testing.T) {
	var requests atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		io.WriteString(w, goodToken)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	trusting := func(change func(*tls.Config)) *http.Client {
		hc := oauth.NewHTTPClient()
		tr := hc.Transport.(*http.Transport)
		tr.TLSClientConfig = &tls.Config{RootCAs: roots}
		change(tr.TLSClientConfig)
		return hc
	}
	for name, hc := range map[string]*http.Client{
		"unknown authority": nil,
		"other name":        trusting(func(c *tls.Config) { c.ServerName = "op.example.net" }),
		"expired":           trusting(func(c *tls.Config) { c.Time = func() time.Time { return time.Now().AddDate(200, 0, 0) } }),
	} {
		t.Run(name, func(t *testing.T) {
			c := &oauth.Client{HTTP: hc, ID: "cli", Endpoints: oauth.Endpoints{Token: srv.URL}}
			_, err := c.Refresh(t.Context(), oldToken)
			wantError(t, err, oauth.KindTLS, oauth.NotSent, "")
		})
	}
	if n := requests.Load(); n != 0 {
		t.Fatalf("server saw %d requests, want none", n)
	}
	c := &oauth.Client{HTTP: trusting(func(*tls.Config) {}), ID: "cli", Endpoints: oauth.Endpoints{Token: srv.URL}}
	if _, err := c.Refresh(t.Context(), oldToken); err != nil {
		t.Errorf("with the right certificate: %v", err)
	}
}

func TestPlainAnswerToTLS(t *testing.T) {
	srv := says(t, 200, goodToken)
	c := &oauth.Client{ID: "cli", Endpoints: oauth.Endpoints{Token: strings.Replace(srv.URL, "http://", "https://", 1)}}
	_, err := c.Refresh(t.Context(), oldToken)
	wantError(t, err, oauth.KindTLS, oauth.NotSent, "")
}

// mute is a RoundTripper that knows nothing of httptrace.
type mute struct{ err error }

func (m mute) RoundTrip(*http.Request) (*http.Response, error) { return nil, m.err }

func TestUnknownTransportProvesNothing(t *testing.T) {
	c := &oauth.Client{HTTP: &http.Client{Transport: mute{errors.New("rt-1 was refused")}}, ID: "cli", Endpoints: oauth.Endpoints{Token: "https://op.example/token"}}
	_, err := c.Refresh(t.Context(), oldToken)
	wantError(t, err, oauth.KindNetwork, oauth.Ambiguous, "")
	if strings.Contains(err.Error(), "rt-1") {
		t.Errorf("error quotes what the transport said: %v", err)
	}
}

func TestContext(t *testing.T) {
	release := make(chan struct{})
	arrived := make(chan struct{}, 10)
	srv := answers(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	c := srv.client()
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := c.Refresh(ctx, oldToken)
		wantError(t, err, oauth.KindTimeout, oauth.Ambiguous, "")
		if took := time.Since(start); took > 5*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("took %v, error %v", took, err)
		}
		<-arrived
	})
	t.Run("deadline of the device authorization", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := c.AuthorizeDevice(ctx, oauth.DeviceRequest{})
		wantError(t, err, oauth.KindTimeout, oauth.Ambiguous, "")
		<-arrived
	})
	t.Run("time-out of the client", func(t *testing.T) {
		slow := *c
		slow.HTTP = oauth.NewHTTPClient()
		slow.HTTP.Timeout = 50 * time.Millisecond
		_, err := slow.Refresh(t.Context(), oldToken)
		wantError(t, err, oauth.KindTimeout, oauth.Ambiguous, "")
		<-arrived
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-arrived; cancel() }()
		_, err := c.Refresh(ctx, oldToken)
		wantError(t, err, oauth.KindCanceled, oauth.Ambiguous, "")
	})
	before := srv.count()
	t.Run("cancelled before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := c.Refresh(ctx, oldToken)
		wantError(t, err, oauth.KindCanceled, oauth.NotSent, "")
		if n := srv.count(); n != before {
			t.Errorf("server saw %d requests, want %d", n, before)
		}
	})
}

// A kept-alive connection that the server has closed makes net/http retry what it may; a token request it may not.
func TestNetHTTPCannotRepeatARequest(t *testing.T) {
	var accepted, requests atomic.Int32
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			go func() {
				defer conn.Close()
				buf := make([]byte, 64<<10)
				// Answers the first request and leaves the connection open, and closes it on the second.
				for i := range 2 {
					if n, err := conn.Read(buf); n == 0 || err != nil {
						return
					}
					requests.Add(1)
					if i == 0 {
						io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(goodToken))+"\r\n\r\n"+goodToken)
					}
				}
			}()
		}
	}()
	c := &oauth.Client{HTTP: &http.Client{Transport: &http.Transport{}}, ID: "cli", Endpoints: oauth.Endpoints{Token: "http://" + ln.Addr().String()}}
	if _, err := c.Refresh(t.Context(), oldToken); err != nil {
		t.Fatal(err)
	}
	_, err = c.Refresh(t.Context(), oldToken)
	wantError(t, err, oauth.KindNetwork, oauth.Ambiguous, "")
	if accepted.Load() != 1 || requests.Load() != 2 {
		t.Errorf("%d connections and %d requests, want 1 and 2", accepted.Load(), requests.Load())
	}
}

// capture is a RoundTripper that keeps the request and answers with a token.
type capture struct{ req *http.Request }

func (c *capture) RoundTrip(req *http.Request) (*http.Response, error) {
	c.req = req
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(goodToken))}, nil
}

func TestRequestIsNotReplayable(t *testing.T) {
	var rt capture
	c := &oauth.Client{HTTP: &http.Client{Transport: &rt}, ID: "cli", Endpoints: oauth.Endpoints{Token: "https://op.example/token"}}
	if _, err := c.Refresh(t.Context(), oldToken); err != nil {
		t.Fatal(err)
	}
	// These are what net/http looks at before it sends a request again.
	if rt.req.GetBody != nil || rt.req.Header["Idempotency-Key"] != nil || rt.req.Header["X-Idempotency-Key"] != nil {
		t.Errorf("request can be replayed: GetBody %t, header %v", rt.req.GetBody != nil, rt.req.Header)
	}
	if rt.req.Body == nil || rt.req.ContentLength <= 0 {
		t.Errorf("content length %d, want that of the body", rt.req.ContentLength)
	}
}

func TestEveryRequestHasItsOwnConnection(t *testing.T) {
	var conns atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, goodToken) }))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	c := &oauth.Client{ID: "cli", Endpoints: oauth.Endpoints{Token: srv.URL}}
	for range 3 {
		if _, err := c.Refresh(t.Context(), oldToken); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
}

func TestBodyIsCappedAfterDecompression(t *testing.T) {
	var bomb bytes.Buffer
	packed := gzip.NewWriter(&bomb)
	io.WriteString(packed, `{"access_token":"at-1","token_type":"Bearer","x":"`+strings.Repeat("a", 8<<20)+`"}`)
	packed.Close()
	srv := answers(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(bomb.Bytes())
	})
	c := srv.client()
	c.HTTP = &http.Client{Transport: &http.Transport{}} // asks for gzip and unpacks it
	_, err := c.Refresh(t.Context(), oldToken)
	wantError(t, err, oauth.KindMalformed, oauth.Ambiguous, "")
	if got := asError(t, err).Body.Len(); got != 1<<20 {
		t.Errorf("kept %d bytes, want 1 MiB", got)
	}
}

func TestEndlessBodyIsCutOff(t *testing.T) {
	var written atomic.Int64
	gone := make(chan struct{})
	srv := answers(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(gone)
		block := bytes.Repeat([]byte(" "), 64<<10)
		for {
			n, err := w.Write(block)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	_, err := srv.client().Refresh(t.Context(), oldToken)
	wantError(t, err, oauth.KindMalformed, oauth.Ambiguous, "")
	<-gone
	// What was written but not read sits in the kernel's buffers, a few MiB at most.
	if n := written.Load(); n > 32<<20 {
		t.Errorf("server could write %d MiB, want it cut off after about 1", n>>20)
	}
}

func TestNewHTTPClient(t *testing.T) {
	hc := oauth.NewHTTPClient()
	tr := hc.Transport.(*http.Transport)
	if !tr.DisableKeepAlives || !tr.DisableCompression || tr.MaxResponseHeaderBytes != 64<<10 || tr.Proxy == nil ||
		tr.TLSHandshakeTimeout != 5*time.Second || tr.ResponseHeaderTimeout != time.Minute || tr.TLSClientConfig != nil || hc.Jar != nil {
		t.Errorf("transport %+v is not what NewHTTPClient promises", tr)
	}
	if err := hc.CheckRedirect(nil, nil); err != http.ErrUseLastResponse {
		t.Errorf("redirect policy %v, want none followed", err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.TLS = &tls.Config{MaxVersion: tls.VersionTLS11}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	tr.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	c := &oauth.Client{HTTP: hc, ID: "cli", Endpoints: oauth.Endpoints{Token: srv.URL}}
	_, err := c.Refresh(t.Context(), oldToken)
	wantError(t, err, oauth.KindTLS, oauth.NotSent, "")
}
