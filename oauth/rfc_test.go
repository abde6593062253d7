package oauth_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// What the server answers tells nothing about whether it has spent the code,
// so that no answer, and none at all, may make the client send it again.
func TestRFC6749_15_CodeIsSentOnceWhateverTheAnswer(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"token":          status(200, goodToken),
		"unusable token": status(200, `{"token_type":"Bearer"}`),
		"invalid_grant":  status(400, `{"error":"invalid_grant"}`),
		"invalid_client": status(401, `{"error":"invalid_client"}`),
		"unavailable":    status(503, ""),
		"rate limit":     status(429, ""),
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/token", http.StatusTemporaryRedirect)
		},
		"lost connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		for _, style := range []oauth.AuthStyle{oauth.AuthNone, oauth.AuthPost, oauth.AuthBasic} {
			srv := answers(t, h)
			c := srv.client()
			if c.AuthStyle = style; style != oauth.AuthNone {
				c.Secret = secret.New("s3cret")
			}
			_, err := c.ExchangeCode(t.Context(), secret.New("code-1"), "http://127.0.0.1:1/cb", secret.New("v"))
			if (err == nil) != (name == "token") {
				t.Errorf("%s, %s: error %v", name, style, err)
			}
			if got := srv.only(t).form(t)["code"]; !slices.Equal(got, []string{"code-1"}) {
				t.Errorf("%s, %s: code sent as %q", name, style, got)
			}
		}
	}
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

// authority issues certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate for 127.0.0.1 as change wants it, signed by a or,
// if a is nil, by itself.
func (a *authority) issue(t *testing.T, change func(*x509.Certificate)) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: rand.Text()},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	change(c)
	parent, signer := c, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t, cert, key}
}

// mayIssue makes a certificate one of an authority.
func mayIssue(c *x509.Certificate) {
	c.IsCA, c.KeyUsage, c.ExtKeyUsage, c.IPAddresses = true, x509.KeyUsageCertSign, nil, nil
}

// serve listens with the certificate and those that lead to its root, and
// counts the bytes that arrive inside of TLS.
func (a *authority) serve(chain ...*authority) *tlsCounter {
	a.t.Helper()
	certificate := tls.Certificate{Certificate: [][]byte{a.cert.Raw}, PrivateKey: a.key}
	for _, link := range chain {
		certificate.Certificate = append(certificate.Certificate, link.cert.Raw)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		a.t.Fatal(err)
	}
	s := &tlsCounter{url: "https://" + ln.Addr().String()}
	s.done.Go(func() { s.accept(ln) })
	a.t.Cleanup(func() { ln.Close(); s.done.Wait() })
	return s
}

// tlsCounter is a TLS server that answers a token to what it understands.
type tlsCounter struct {
	url  string
	done sync.WaitGroup

	mu       sync.Mutex
	attempts int
	read     int
}

func (s *tlsCounter) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		s.done.Go(func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			counted := &countingReader{conn, s}
			s.mu.Lock()
			s.attempts++
			s.mu.Unlock()
			if _, err := http.ReadRequest(bufio.NewReader(counted)); err == nil {
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(goodToken), goodToken)
			}
		})
	}
}

type countingReader struct {
	net.Conn
	s *tlsCounter
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.s.mu.Lock()
	r.s.read += n
	r.s.mu.Unlock()
	return n, err
}

func (s *tlsCounter) seen() (attempts, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts, s.read
}

// A certificate is worth what every link of its chain is worth. With a bad one
// nothing of a request leaves.
func TestRFC6750_18_CertificateChainIsValidated(t *testing.T) {
	var none *authority
	root := none.issue(t, mayIssue)
	stranger := none.issue(t, mayIssue)
	between := root.issue(t, mayIssue)
	noAuthority := root.issue(t, func(*x509.Certificate) {})
	oldBetween := root.issue(t, func(c *x509.Certificate) { mayIssue(c); c.NotAfter = time.Now().Add(-time.Minute) })
	good := func(*x509.Certificate) {}
	roots := x509.NewCertPool()
	roots.AddCert(root.cert)
	hc := oauth.NewHTTPClient()
	hc.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}

	for name, s := range map[string]*tlsCounter{
		"self-signed":             none.issue(t, good).serve(),
		"of an unknown authority": stranger.issue(t, good).serve(stranger),
		"for another name": root.issue(t, func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"op.example"}
		}).serve(),
		"expired":                        root.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }).serve(),
		"not valid yet":                  root.issue(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) }).serve(),
		"for clients":                    root.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }).serve(),
		"with a missing link":            between.issue(t, good).serve(),
		"by one that may not issue":      noAuthority.issue(t, good).serve(noAuthority),
		"below an authority that is out": oldBetween.issue(t, good).serve(oldBetween),
	} {
		t.Run(name, func(t *testing.T) {
			for _, err := range everyPost(t, tlsClient(s, hc)) {
				wantError(t, err, oauth.KindTLS, oauth.NotSent, "")
			}
			if attempts, bytes := s.seen(); attempts != 5 || bytes != 0 {
				t.Errorf("%d connections and %d bytes of requests arrived, want 5 and none", attempts, bytes)
			}
		})
	}
	whole := between.issue(t, good).serve(between)
	if _, err := tlsClient(whole, hc).Refresh(t.Context(), oldToken); err != nil {
		t.Errorf("with a whole chain: %v", err)
	}
	// Without roots of its own a client trusts those of the system, and no other.
	_, err := tlsClient(whole, nil).Refresh(t.Context(), oldToken)
	wantError(t, err, oauth.KindTLS, oauth.NotSent, "")
}

func tlsClient(s *tlsCounter, hc *http.Client) *oauth.Client {
	return &oauth.Client{HTTP: hc, ID: "cli", Endpoints: oauth.Endpoints{
		DeviceAuthorization: s.url, Token: s.url, Revocation: s.url,
	}}
}

// The code and the links are kept as the server gave them, whatever their
// form, and no changed form goes back to it.
func TestRFC8628_43_UserCodeStaysAsTheServerSpeltIt(t *testing.T) {
	for _, code := range []string{"wdjb-mjht", "WDJBMJHT", "WDJB-MJHT", "1234-5678"} {
		complete := "https://op.example/device?user_code=" + strings.ToLower(strings.ReplaceAll(code, "-", ""))
		srv := says(t, 200, strings.NewReplacer("https://op.example/device?user_code=WDJB-MJHT", complete, "WDJB-MJHT", code).Replace(goodDevice[:len(goodDevice)-1]+","+goodToken[1:]))
		c := srv.client()
		d, err := c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if d.UserCode != code || d.VerificationURIComplete != complete {
			t.Errorf("%s: shown as %q and %q, want %q", code, d.UserCode, d.VerificationURIComplete, complete)
		}
		if _, err := c.PollDevice(t.Context(), d.DeviceCode, d.CodeVerifier); err != nil {
			t.Fatal(err)
		}
		if srv.requests[1].form(t).Has("user_code") || strings.Contains(srv.requests[1].Body, code) {
			t.Errorf("%s: the poll carries the user code: %s", code, srv.requests[1].Body)
		}
	}
}

func TestRFC8628_46_PublicClientSendsItsIDAlone(t *testing.T) {
	for _, dialect := range oauth.Dialects() {
		srv := says(t, 200, goodDevice[:len(goodDevice)-1]+","+goodToken[1:])
		c := srv.client()
		c.Dialect = dialect
		d, err := c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{Scopes: []string{"openid"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.PollDevice(t.Context(), d.DeviceCode, d.CodeVerifier); err != nil {
			t.Fatal(err)
		}
		want := [][]string{{"client_id", "scope"}, {"client_id", "device_code", "grant_type"}}
		if dialect != oauth.DialectGitHub {
			want = [][]string{{"client_id", "code_challenge", "code_challenge_method", "scope"}, {"client_id", "code_verifier", "device_code", "grant_type"}}
		}
		for i, r := range srv.requests {
			if diff := cmp.Diff(want[i], parameters(r.form(t))); diff != "" {
				t.Errorf("%s: parameters (-want +got):\n%s", dialect, diff)
			}
			if r.form(t).Get("client_id") != "cli" || r.Header.Get("Authorization") != "" {
				t.Errorf("%s: client id %q, authorization %q", dialect, r.form(t).Get("client_id"), r.Header.Get("Authorization"))
			}
		}
	}
}

func parameters(form url.Values) []string {
	var names []string
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// clientMethods is all that a client can do. Whoever adds a method has to look
// at the tests that go through all of them.
var clientMethods = []string{"AuthCodeURL", "AuthorizeDevice", "ExchangeCode", "PollDevice", "Refresh", "Revoke"}

func checkMethods(t *testing.T) {
	t.Helper()
	var got []string
	for m := range reflect.TypeFor[*oauth.Client]().Methods() {
		got = append(got, m.Name)
	}
	if diff := cmp.Diff(clientMethods, got); diff != "" {
		t.Fatalf("the methods of Client (-known +got):\n%s", diff)
	}
}

// wholeClient does everything a client can do, with secrets that begin with
// canary, and returns the authorization link besides what the server saw.
func wholeClient(t *testing.T, style oauth.AuthStyle) (link *url.URL, seen []seen) {
	t.Helper()
	checkMethods(t)
	srv := says(t, 200, goodDevice[:len(goodDevice)-1]+","+goodToken[1:])
	c := srv.client()
	if c.AuthStyle = style; style != oauth.AuthNone {
		c.Secret = secret.New("canary-client-secret")
	}
	verifier := secret.New("canary-verifier")
	r := codeRequest()
	r.CodeChallenge = oauth.ChallengeS256(verifier)
	raw, err := c.AuthCodeURL(r)
	if err != nil {
		t.Fatal(err)
	}
	if link, err = url.Parse(raw); err != nil {
		t.Fatal(err)
	}
	_, device := c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{})
	_, poll := c.PollDevice(t.Context(), secret.New("canary-device-code"), verifier)
	_, exchange := c.ExchangeCode(t.Context(), secret.New("canary-code"), r.RedirectURI, verifier)
	_, refresh := c.Refresh(t.Context(), oauth.RefreshRequest{RefreshToken: secret.New("canary-refresh-token")})
	revoke := c.Revoke(t.Context(), secret.New("canary-access-token"), "access_token")
	for _, err := range []error{device, poll, exchange, refresh, revoke} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return link, srv.requests
}

func TestRFC9700_91_NeitherImplicitNorPasswordGrant(t *testing.T) {
	link, requests := wholeClient(t, oauth.AuthNone)
	if got := link.Query()["response_type"]; !slices.Equal(got, []string{"code"}) {
		t.Errorf("response types %q, want code alone", got)
	}
	var grants []string
	for _, r := range requests {
		form := r.form(t)
		grants = append(grants, form["grant_type"]...)
		if form.Has("username") || form.Has("password") {
			t.Errorf("a person's password goes to %s", r.Path)
		}
	}
	want := []string{"urn:ietf:params:oauth:grant-type:device_code", "authorization_code", "refresh_token"}
	if diff := cmp.Diff(want, grants); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
}

func TestRFC9700_92_CodeFlowHasPKCE(t *testing.T) {
	for _, style := range []oauth.AuthStyle{oauth.AuthNone, oauth.AuthPost, oauth.AuthBasic} {
		link, requests := wholeClient(t, style)
		q, exchange := link.Query(), requests[2].form(t)
		if exchange.Get("grant_type") != "authorization_code" {
			t.Fatalf("the third request is for %q", exchange.Get("grant_type"))
		}
		if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" ||
			q.Get("code_challenge") != oauth.ChallengeS256(secret.New(exchange.Get("code_verifier"))) {
			t.Errorf("%s: challenge %q by %q does not belong to the verifier", style, q.Get("code_challenge"), q.Get("code_challenge_method"))
		}
	}
}

// 307 and 308 are the redirects that take the form along (section 4.12).
func TestRFC9700_97_NoFormIsTakenAlongByA307(t *testing.T) {
	target := countBytes(t)
	for _, code := range []int{307, 308} {
		srv := answers(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://"+target.addr+"/token")
			w.WriteHeader(code)
		})
		c := srv.client()
		c.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
		for _, err := range everyPost(t, c) {
			wantError(t, err, oauth.KindRedirect, oauth.Answered, "")
		}
		if n := srv.count(); n != 5 {
			t.Errorf("%d: server saw %d requests, want each of the five once", code, n)
		}
	}
	if conns, n := target.conns.Load(), target.bytes.Load(); conns != 0 || n != 0 {
		t.Errorf("target saw %d connections and %d bytes, want none", conns, n)
	}
}

func TestRFC9700_99_NoSecretIsInAURL(t *testing.T) {
	for _, style := range []oauth.AuthStyle{oauth.AuthNone, oauth.AuthPost, oauth.AuthBasic} {
		link, requests := wholeClient(t, style)
		if strings.Contains(link.String(), "canary") {
			t.Errorf("%s: the authorization link holds a secret: %s", style, link)
		}
		inForms := 0
		for _, r := range requests {
			if strings.Contains(r.Path, "?") || strings.Contains(r.Path, "canary") || r.Header.Get("Referer") != "" {
				t.Errorf("%s: request goes to %s with Referer %q", style, r.Path, r.Header.Get("Referer"))
			}
			inForms += strings.Count(r.Body, "canary")
		}
		// Four codes and tokens and two verifiers were sent indeed.
		if inForms < 6 {
			t.Errorf("%s: %d secrets in forms, want 6 and more", style, inForms)
		}
	}
}

func TestRFC9700_100_PKCEBelongsToOneTransaction(t *testing.T) {
	srv := says(t, 200, goodDevice[:len(goodDevice)-1]+","+goodToken[1:])
	c := srv.client()
	verifiers := map[string]bool{}
	for i := range 20 {
		d, err := c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if verifiers[d.CodeVerifier.Reveal()] {
			t.Fatal("two device authorizations share a verifier")
		}
		verifiers[d.CodeVerifier.Reveal()] = true
		if got := srv.requests[2*i].form(t).Get("code_challenge"); got != oauth.ChallengeS256(d.CodeVerifier) {
			t.Errorf("challenge %q is not that of the verifier", got)
		}
		if _, err := c.PollDevice(t.Context(), d.DeviceCode, d.CodeVerifier); err != nil {
			t.Fatal(err)
		}
		if got := srv.requests[2*i+1].form(t).Get("code_verifier"); got != d.CodeVerifier.Reveal() {
			t.Error("another verifier was sent")
		}
	}
}

// What OAuth 2.1 takes out of RFC 6749 is not there, and what it adds is.
func TestOAuth21_101_ClientKeepsToIt(t *testing.T) {
	link, requests := wholeClient(t, oauth.AuthNone)
	if q := link.Query(); q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		t.Errorf("authorization request %v, want a code with PKCE", q)
	}
	for _, r := range requests {
		form := r.form(t)
		if grant := form.Get("grant_type"); grant == "password" || grant == "implicit" {
			t.Errorf("grant %q", grant)
		}
		if form.Get("grant_type") == "authorization_code" && !form.Has("code_verifier") {
			t.Error("a code without its verifier")
		}
		if u, err := url.Parse(r.Path); err != nil || u.RawQuery != "" {
			t.Errorf("a query at %s (%v)", r.Path, err)
		}
	}
}

// The life of a code is what the server says, at most an hour, and a client
// never makes it longer.
func TestRFC10027_105_CodeLifetimeIsCappedAndNeverRaised(t *testing.T) {
	for said, want := range map[string]time.Duration{
		"1": time.Second, "30": 30 * time.Second, "600": 10 * time.Minute, "3600": time.Hour,
		"3601": time.Hour, "86400": time.Hour, `"7200"`: time.Hour,
	} {
		var body map[string]json.RawMessage
		if err := json.Unmarshal([]byte(goodDevice), &body); err != nil {
			t.Fatal(err)
		}
		body["expires_in"] = json.RawMessage(said)
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		d, err := says(t, 200, string(text)).client().AuthorizeDevice(t.Context(), oauth.DeviceRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if d.ExpiresIn != want {
			t.Errorf("expires_in %s: %v, want %v", said, d.ExpiresIn, want)
		}
	}
}
