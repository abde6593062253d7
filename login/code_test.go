package login_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

const (
	codeIssuer  = "https://as.test"
	goodToken   = `{"access_token":"at","refresh_token":"rt","token_type":"Bearer","expires_in":3600}`
	redirectURI = "http://127.0.0.1:51234/cb"
)

var codeBinding = credential.Binding{
	Endpoints: oauth.Endpoints{
		Issuer: codeIssuer, Authorization: codeIssuer + "/authorize?tenant=a", Token: codeIssuer + "/token", RequireISS: true,
	},
	ClientID: "cli", AuthStyle: oauth.AuthNone, Dialect: oauth.DialectStandard,
}

// tokens is a scripted token endpoint. An answer is a status and a body, or
// "lost": the connection breaks after the request; "unsent": there is none.
type tokens struct {
	mu      sync.Mutex
	answers []string // the last one repeats
	sent    []url.Values
	tried   int
	park    chan struct{}
}

func (s *tokens) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	answer := s.answers[min(s.tried, len(s.answers)-1)]
	s.tried++
	park := s.park
	if answer != "unsent" {
		s.sent = append(s.sent, form)
	}
	s.mu.Unlock()
	if park != nil {
		select {
		case <-park:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	status, text, _ := strings.Cut(answer, " ")
	switch status {
	case "unsent":
		httptrace.ContextClientTrace(r.Context()).GetConn("as.test:443")
		return nil, errors.New("connection refused")
	case "lost":
		return nil, io.ErrUnexpectedEOF
	}
	code := map[string]int{"200": 200, "400": 400, "403": 403, "500": 500}[status]
	return &http.Response{
		StatusCode: code, Status: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)),
	}, nil
}

func (s *tokens) requests() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

// codeBench is a bench whose provider has method code alone.
func codeBench(t *testing.T, answers ...string) (*bench, *tokens, func(...func(*login.Config)) *login.Registry) {
	if len(answers) == 0 {
		answers = []string{"200 " + goodToken}
	}
	b, as := newBench(t), &tokens{answers: answers}
	return b, as, func(change ...func(*login.Config)) *login.Registry {
		return b.registry(append([]func(*login.Config){func(c *login.Config) {
			c.Providers, c.HTTP = nil, &http.Client{Transport: as}
		}}, change...)...)
	}
}

var codeRequest = login.Request{
	Key: key, Binding: codeBinding, Method: credential.MethodCode, RedirectURI: redirectURI,
	Scopes: []string{"openid"}, Initiator: "cli-A",
}

func startCode(t *testing.T, r *login.Registry) login.Snapshot {
	t.Helper()
	s, joined, err := r.Start(t.Context(), codeRequest)
	if err != nil || joined {
		t.Fatalf("Start: joined %v, %v", joined, err)
	}
	return s
}

// asked is the authorization request that s shows.
func asked(t *testing.T, s login.Snapshot) url.Values {
	t.Helper()
	p, ok := s.Prompt()
	u, err := url.Parse(p.AuthorizationURI)
	if !ok || err != nil {
		t.Fatalf("shows %+v, %v", p, err)
	}
	return u.Query()
}

// redirected is where the browser goes once the person has approved s, with
// parameters replaced, or left out if empty.
func redirected(t *testing.T, s login.Snapshot, pairs ...string) login.Answer {
	t.Helper()
	q := url.Values{"code": {"the-code"}, "state": {asked(t, s).Get("state")}, "iss": {codeIssuer}}
	for i := 0; i < len(pairs); i += 2 {
		q.Del(pairs[i])
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return login.Answer{RedirectedURL: redirectURI + "?" + q.Encode()}
}

func wantEnded(t *testing.T, err error, status credential.LoginStatus) {
	t.Helper()
	var ended *login.EndedError
	if !errors.As(err, &ended) || ended.Status != status {
		t.Errorf("got %v, want that the login has ended: %s", err, status)
	}
}

func TestCodeLoginEndsWithItsCredentialStored(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, as, registry := codeBench(t)
		r := registry()
		s := startCode(t, r)
		q := asked(t, s)
		if s.Method != credential.MethodCode || s.Status() != credential.LoginPending || s.Interval != 0 || !s.ExpiresAt.Equal(time.Now().Add(10*time.Minute)) {
			t.Errorf("started as %+v", s)
		}
		want := url.Values{
			"tenant": {"a"}, "response_type": {"code"}, "client_id": {"cli"}, "redirect_uri": {redirectURI}, "scope": {"openid"},
			"state": {q.Get("state")}, "code_challenge": {q.Get("code_challenge")}, "code_challenge_method": {"S256"},
		}
		if q.Encode() != want.Encode() || len(q.Get("state")) != 43 {
			t.Errorf("authorization request %v, want %v", q, want)
		}
		got, err := r.Complete(t.Context(), s.ID, redirected(t, s))
		if err != nil || got.Status() != credential.LoginAuthorized {
			t.Fatalf("Complete = %+v, %v", got.Login, err)
		}
		sent := as.requests()
		if len(sent) != 1 {
			t.Fatalf("the token endpoint saw %d requests", len(sent))
		}
		form := sent[0]
		if form.Get("grant_type") != "authorization_code" || form.Get("code") != "the-code" || form.Get("redirect_uri") != redirectURI ||
			oauth.ChallengeS256(secret.New(form.Get("code_verifier"))) != q.Get("code_challenge") {
			t.Errorf("exchanged with %v", form)
		}
		c, err := b.store.Get(t.Context(), key)
		if err != nil || c.Grant != s.ID || c.AccessToken.Reveal() != "at" || c.RefreshToken.Reveal() != "rt" || c.Binding != codeBinding {
			t.Errorf("stored %+v, %v", c, err)
		}
		if end := b.wait(r, s.ID); end.Status() != credential.LoginAuthorized {
			t.Errorf("Wait: %+v", end.Login)
		}
		// A replay is told how it has ended, and nothing more happens.
		_, err = r.Complete(t.Context(), s.ID, redirected(t, s))
		wantEnded(t, err, credential.LoginAuthorized)
		if n := len(as.requests()); n != 1 {
			t.Errorf("%d exchanges after a replay", n)
		}
		b.wantEvents(login.Started, login.Authorized)
	})
}

// Two requests never share a state or a verifier (RFC 9700 section 2.1.1).
func TestEveryAuthorizationRequestIsItsOwn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, _, registry := codeBench(t)
		r := registry()
		seen := map[string]bool{}
		for range 3 {
			s := startCode(t, r)
			q := asked(t, s)
			for _, v := range []string{q.Get("state"), q.Get("code_challenge")} {
				if seen[v] {
					t.Errorf("%q twice", v)
				}
				seen[v] = true
			}
			if _, err := r.Cancel(t.Context(), s.ID, ""); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestRFC9207_75_StrayAnswersLeaveTheLoginPending(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, as, registry := codeBench(t)
		r := registry()
		s := startCode(t, r)
		good := redirected(t, s).RedirectedURL
		state := asked(t, s).Get("state")
		for name, tt := range map[string]struct {
			answer login.Answer
			want   error
		}{
			"no state":                  {redirected(t, s, "state", ""), oauth.ErrState},
			"wrong state":               {redirected(t, s, "state", state[:42]+"!"), oauth.ErrState},
			"two states":                {login.Answer{RedirectedURL: good + "&state=" + state}, oauth.ErrState},
			"wrong state, an error":     {redirected(t, s, "state", "x", "code", "", "error", "access_denied"), oauth.ErrState},
			"no issuer":                 {redirected(t, s, "iss", ""), oauth.ErrIssuer},
			"another issuer":            {redirected(t, s, "iss", codeIssuer+"/"), oauth.ErrIssuer},
			"another issuer, an error":  {redirected(t, s, "iss", "https://evil.test", "code", "", "error", "access_denied"), oauth.ErrIssuer},
			"parts, wrong state":        {login.Answer{Code: "c", State: "x", ISS: codeIssuer}, oauth.ErrState},
			"parts, no issuer":          {login.Answer{Code: "c", State: state}, oauth.ErrIssuer},
			"neither code nor error":    {redirected(t, s, "code", ""), nil},
			"an error nobody can read":  {redirected(t, s, "code", "", "error", "\x1b[2J"), nil},
			"another port":              {login.Answer{RedirectedURL: strings.Replace(good, "51234", "51235", 1)}, login.ErrRedirectedURL},
			"another path":              {login.Answer{RedirectedURL: strings.Replace(good, "/cb", "/cb2", 1)}, login.ErrRedirectedURL},
			"another scheme":            {login.Answer{RedirectedURL: strings.Replace(good, "http", "https", 1)}, login.ErrRedirectedURL},
			"user information":          {login.Answer{RedirectedURL: strings.Replace(good, "//", "//u@", 1)}, login.ErrRedirectedURL},
			"the link itself":           {login.Answer{RedirectedURL: codeIssuer + "/authorize?state=" + state + "&code=c"}, login.ErrRedirectedURL},
			"no URL":                    {login.Answer{RedirectedURL: "the-code"}, login.ErrRedirectedURL},
			"a query that is none":      {login.Answer{RedirectedURL: redirectURI + "?code=%zz"}, login.ErrRedirectedURL},
			"longer than an address is": {login.Answer{RedirectedURL: good + strings.Repeat("&a=b", 10000)}, login.ErrRedirectedURL},
		} {
			got, err := r.Complete(t.Context(), s.ID, tt.answer)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
			if got.Status() != credential.LoginPending {
				t.Errorf("%s: the login is %s", name, got.Status())
			}
			if strings.Contains(err.Error(), state) || strings.Contains(err.Error(), "the-code") || strings.Contains(err.Error(), "evil") {
				t.Errorf("%s: the error quotes the answer: %v", name, err)
			}
		}
		if n := len(as.requests()); n != 0 {
			t.Errorf("%d exchanges", n)
		}
		b.wantEvents(login.Started)
		// The right one still wins; a clipboard adds a line break.
		if got, err := r.Complete(t.Context(), s.ID, login.Answer{RedirectedURL: " " + good + "\n"}); err != nil || got.Status() != credential.LoginAuthorized {
			t.Errorf("the good answer: %+v, %v", got.Login, err)
		}
	})
}

// A server that sends no issuer leads a browser to another address than any
// other server does (RFC 9700 section 4.4.2).
func TestRFC8252_28_AnswerFromTheAddressOfAnotherProviderIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, as, registry := codeBench(t)
		r := registry()
		var logins []login.Snapshot
		for _, provider := range []string{"test", "other"} {
			req := codeRequest
			req.Key.Provider, req.RedirectURI = provider, ""
			req.Binding.Endpoints.RequireISS = false
			s, _, err := r.Start(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			logins = append(logins, s)
		}
		mixed := login.Answer{RedirectedURL: asked(t, logins[1]).Get("redirect_uri") + "?code=c&state=" + asked(t, logins[0]).Get("state")}
		if _, err := r.Complete(t.Context(), logins[0].ID, mixed); !errors.Is(err, login.ErrRedirectedURL) || len(as.requests()) != 0 {
			t.Errorf("Complete: %v", err)
		}
	})
}

func TestErrorAnswersEndACodeLogin(t *testing.T) {
	for sent, want := range map[string]struct {
		status credential.LoginStatus
		code   string
	}{
		"access_denied":         {credential.LoginDenied, "access_denied"},
		"server_error":          {credential.LoginFailed, "provider_refused"},
		"authorization_pending": {credential.LoginFailed, "provider_refused"},
	} {
		inBubble(t, func(t *testing.T) {
			b, as, registry := codeBench(t)
			r := registry()
			s := startCode(t, r)
			a := redirected(t, s, "code", "", "error", sent, "error_description", "PWNED")
			got, err := r.Complete(t.Context(), s.ID, a)
			if err != nil || got.Status() != want.status || got.Failure().Code != want.code || !got.Failure().FromProvider || strings.Contains(got.Failure().Hint, "PWNED") {
				t.Errorf("%s: %+v, %v", sent, got.Login, err)
			}
			if n := len(as.requests()); n != 0 {
				t.Errorf("%d exchanges", n)
			}
			b.wantEvents(login.Started, map[credential.LoginStatus]login.EventType{
				credential.LoginDenied: login.Denied, credential.LoginFailed: login.Failed,
			}[want.status])
		})
	}
}

func TestCodeLoginExpires(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, _, registry := codeBench(t)
		r := registry()
		s := startCode(t, r)
		time.Sleep(10*time.Minute - time.Second)
		if now, err := r.Get(t.Context(), s.ID); err != nil || now.Status() != credential.LoginPending || !now.LastPolledAt.IsZero() {
			t.Errorf("before its time: %+v, %v", now, err)
		}
		if end := b.wait(r, s.ID); end.Status() != credential.LoginExpired || !end.EndedAt().Equal(s.ExpiresAt) {
			t.Errorf("ended as %+v", end.Login)
		}
		_, err := r.Complete(t.Context(), s.ID, redirected(t, s))
		wantEnded(t, err, credential.LoginExpired)
		b.wantEvents(login.Started, login.Expired)
	})
}

// What comes of an exchange that does not just work. A login ends in each case.
func TestExchangeThatFails(t *testing.T) {
	for name, tt := range map[string]struct {
		answers []string
		park    bool
		want    credential.LoginStatus
		code    string
		sent    int
	}{
		"lost, then good":    {[]string{"lost", "200 " + goodToken}, false, credential.LoginAuthorized, "", 2},
		"a fault, then good": {[]string{"500 {}", "200 " + goodToken}, false, credential.LoginAuthorized, "", 2},
		"lost, then spent":   {[]string{"lost", `400 {"error":"invalid_grant"}`}, false, credential.LoginFailed, "lost_success", 2},
		"lost twice":         {[]string{"lost"}, false, credential.LoginFailed, "lost_success", 2},
		"faults":             {[]string{"500 {}"}, false, credential.LoginFailed, "lost_success", 2},
		"lost, then unsent":  {[]string{"lost", "unsent"}, false, credential.LoginFailed, "lost_success", 1},
		"no answer in time":  {[]string{"200 " + goodToken}, true, credential.LoginFailed, "lost_success", 1},
		"a useless yes":      {[]string{`200 {"token":"at"}`}, false, credential.LoginFailed, "lost_success", 1},
		"refused":            {[]string{`400 {"error":"invalid_grant"}`}, false, credential.LoginFailed, "invalid_grant", 1},
		"denied":             {[]string{`400 {"error":"access_denied"}`}, false, credential.LoginDenied, "access_denied", 1},
		"wrong client":       {[]string{`400 {"error":"invalid_client"}`}, false, credential.LoginFailed, "provider_refused", 1},
		"a firewall":         {[]string{"403 <html>"}, false, credential.LoginFailed, "provider_refused", 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b, as, registry := codeBench(t, tt.answers...)
				if tt.park {
					as.park = make(chan struct{})
				}
				r := registry()
				s := startCode(t, r)
				began := time.Now()
				got, err := r.Complete(t.Context(), s.ID, redirected(t, s))
				if err != nil || got.Status() != tt.want || got.Failure().Code != tt.code {
					t.Errorf("ended as %s (%+v), %v; want %s %s", got.Status(), got.Failure(), err, tt.want, tt.code)
				}
				if n := len(as.requests()); n != tt.sent {
					t.Errorf("the code was sent %d times, want %d", n, tt.sent)
				}
				if took := time.Since(began); took > 30*time.Second {
					t.Errorf("took %v", took)
				}
				_, err = b.store.Get(t.Context(), key)
				if stored := err == nil; stored != (tt.want == credential.LoginAuthorized) {
					t.Errorf("stored %v, %v", stored, err)
				}
			})
		})
	}
}

// A code that was never sent is still good: the login goes on waiting.
func TestCodeThatWasNotSentIsTakenBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, as, registry := codeBench(t, "unsent", "unsent", "unsent", "200 "+goodToken)
		r := registry()
		s := startCode(t, r)
		got, err := r.Complete(t.Context(), s.ID, redirected(t, s))
		if oauth.OutcomeOf(err) != oauth.NotSent || got.Status() != credential.LoginPending || as.tried != 3 {
			t.Fatalf("Complete = %+v, %v after %d tries", got.Login, err, as.tried)
		}
		if asked(t, got).Encode() != asked(t, s).Encode() {
			t.Error("it shows another link than before")
		}
		got, err = r.Complete(t.Context(), s.ID, redirected(t, s))
		if err != nil || got.Status() != credential.LoginAuthorized || len(as.requests()) != 1 {
			t.Errorf("the second try: %+v, %v", got.Login, err)
		}
		b.wantEvents(login.Started, login.Authorized)
	})
	inBubble(t, func(t *testing.T) {
		b, _, registry := codeBench(t, "unsent")
		r := registry()
		s := startCode(t, r)
		if _, err := r.Complete(t.Context(), s.ID, redirected(t, s)); oauth.OutcomeOf(err) != oauth.NotSent {
			t.Fatalf("Complete: %v", err)
		}
		if end := b.wait(r, s.ID); end.Status() != credential.LoginExpired || !end.EndedAt().Equal(s.ExpiresAt) {
			t.Errorf("taken back, it ended as %+v", end.Login)
		}
	})
}

func TestConfigurationThatIsMissingChangesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		missing := errors.New("no secret")
		_, as, registry := codeBench(t)
		r := registry(func(c *login.Config) {
			c.ClientSecret = func(context.Context, credential.Key, credential.Binding) (secret.String, error) {
				return secret.String{}, missing
			}
		})
		req := codeRequest
		req.Binding.AuthStyle = oauth.AuthPost
		s, _, err := r.Start(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Complete(t.Context(), s.ID, redirected(t, s))
		if !errors.Is(err, missing) || got.Status() != credential.LoginPending || len(as.requests()) != 0 {
			t.Errorf("Complete = %+v, %v", got.Login, err)
		}
	})
}

func TestCompleteOfNoSuchLogin(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		r := b.registry()
		if _, err := r.Complete(t.Context(), "nope", login.Answer{Code: "c", State: "s"}); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("an unknown login: %v", err)
		}
		var method *login.MethodError
		if _, err := r.Complete(t.Context(), b.start(r).ID, login.Answer{Code: "c", State: "s"}); !errors.As(err, &method) || method.Live != credential.MethodDevice {
			t.Errorf("a device login: %v", err)
		}
	})
}

func TestMethodsOfOneKey(t *testing.T) {
	both := codeBinding
	both.Endpoints.DeviceAuthorization = codeIssuer + "/device"
	neither := codeBinding
	neither.Endpoints.Authorization = ""
	device, code := credential.MethodDevice, credential.MethodCode
	for name, tt := range map[string]struct {
		binding  credential.Binding
		live     credential.Method // of a login that is there already
		asked    credential.Method
		want     credential.Method
		inTheWay credential.Method
	}{
		"code":                      {codeBinding, "", code, code, ""},
		"code where there is both":  {both, "", code, code, ""},
		"whatever there is":         {codeBinding, "", "", code, ""},
		"no device":                 {codeBinding, "", device, "", ""},
		"nothing":                   {neither, "", "", "", ""},
		"code beside code":          {codeBinding, code, code, code, ""},
		"whatever there is, beside": {codeBinding, code, "", code, ""},
		"device beside code":        {both, code, device, "", code},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				_, _, registry := codeBench(t)
				r := registry()
				if tt.live != "" {
					startCode(t, r)
				}
				req := codeRequest
				req.Method, req.Binding = tt.asked, tt.binding
				s, joined, err := r.Start(t.Context(), req)
				if tt.want != "" {
					if err != nil || s.Method != tt.want || joined != (tt.live != "") {
						t.Errorf("started %s login, joined %v, %v", s.Method, joined, err)
					}
					return
				}
				var method *login.MethodError
				if !errors.As(err, &method) || method.Live != tt.inTheWay || (method.ID != "") != (tt.inTheWay != "") {
					t.Errorf("Start: %v", err)
				}
				all, err := r.List(t.Context())
				if err != nil || len(all) > 1 || len(all) == 1 != (tt.live != "") {
					t.Errorf("left behind %+v, %v", all, err)
				}
			})
		})
	}
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		r := b.registry()
		var method *login.MethodError
		if _, _, err := r.Start(t.Context(), login.Request{Key: key, Method: code}); !errors.As(err, &method) || method.Live != "" {
			t.Errorf("code at an in-process provider: %v", err)
		}
		b.start(r)
		if _, _, err := r.Start(t.Context(), login.Request{Key: key, Method: code}); !errors.As(err, &method) || method.Live != device {
			t.Errorf("code beside a device login: %v", err)
		}
		b.wantEvents(login.Failed, login.Started) // the first one is of a login that had not begun
		if b.events[0].Login.Begun() {
			t.Errorf("a login that never was pending has begun: %+v", b.events[0].Login)
		}
	})
}

func TestCodeLoginsCountForTheCap(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, _, registry := codeBench(t)
		r := registry(func(c *login.Config) { c.MaxActive = 1 })
		s := startCode(t, r)
		req := codeRequest
		req.Key.Account = "work"
		if _, _, err := r.Start(t.Context(), req); !errors.Is(err, credential.ErrTooManyLogins) {
			t.Errorf("a second one: %v", err)
		}
		if _, err := r.Complete(t.Context(), s.ID, redirected(t, s)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Start(t.Context(), req); err != nil {
			t.Errorf("when the first has ended: %v", err)
		}
	})
}

func TestAuthorizationEndpointThatCannotBeUsed(t *testing.T) {
	for _, endpoint := range []string{"http://as.test/a", "javascript:alert(1)", codeIssuer + "/a?state=mine", codeIssuer + "/a#f"} {
		inBubble(t, func(t *testing.T) {
			_, _, registry := codeBench(t)
			r := registry()
			req := codeRequest
			req.Binding.Endpoints.Authorization = endpoint
			if s, _, err := r.Start(t.Context(), req); err == nil {
				t.Errorf("%s: started %+v", endpoint, s)
			}
			if all, err := r.List(t.Context()); err != nil || len(all) != 0 {
				t.Errorf("%s: left behind %+v, %v", endpoint, all, err)
			}
		})
	}
}

func TestCheckRedirectURI(t *testing.T) {
	allowed := []string{"https://app.example/back", "http://localhost:7/", "http://localhost/any", "http://[::1]/any?keep=1"}
	for uri, want := range map[string]bool{
		login.DefaultRedirectURI("p"):                     true,
		"http://127.0.0.1:1/":                             true,
		"http://127.0.0.1:65535/a/b":                      true,
		"http://[::1]:51234/cb":                           true,
		"http://127.0.0.1:80":                             true,
		"https://app.example/back":                        true,
		"http://localhost:7/":                             true,
		"http://localhost/any":                            true,
		"http://localhost:51234/any":                      true,
		"http://[::1]:51234/any?keep=1":                   true,
		"http://[::1]:1/any?keep=1":                       true,
		"http://localhost:080/any":                        false,
		"http://localhost:0/any":                          false,
		"http://localhost:65536/any":                      false,
		"http://localhost:51234/any/":                     false,
		"http://localhost:51234/any?keep=1":               false,
		"http://127.0.0.1:51234/any?keep=1":               false,
		"http://u@localhost:51234/any":                    false,
		"https://localhost:51234/any":                     false,
		"http://localhost.evil.example:51234/any":         false,
		"https://app.example:444/back":                    false,
		"https://app.example/back/":                       false,
		"http://localhost:51234/cb":                       false,
		"http://127.0.0.1/cb":                             false,
		"http://127.0.0.1:0/cb":                           false,
		"http://127.0.0.1:65536/cb":                       false,
		"http://127.0.0.1:080/cb":                         false,
		"http://127.0.0.1:/cb":                            false,
		"http://127.0.0.2:1/cb":                           false,
		"http://127.1:1/cb":                               false,
		"http://2130706433:1/cb":                          false,
		"http://[::ffff:127.0.0.1]:1/cb":                  false,
		"http://[0:0:0:0:0:0:0:1]:1/cb":                   false,
		"http://[::1%25lo]:1/cb":                          false,
		"http://0.0.0.0:1/cb":                             false,
		"https://127.0.0.1:1/cb":                          false,
		"HTTP://127.0.0.1:1/cb":                           false,
		"http://u@127.0.0.1:1/cb":                         false,
		"http://127.0.0.1:1/cb?a=b":                       false,
		"http://127.0.0.1:1/cb?":                          false,
		"http://127.0.0.1:1/cb#":                          false,
		"http://127.0.0.1:1/ cb":                          false,
		"http://127.0.0.1:1/cb\n":                         false,
		"http://127.0.0.1.evil.example:1":                 false,
		"http://127.0.0.1:1@evil.example":                 false,
		"app.example:/back":                               false,
		"//127.0.0.1:1/cb":                                false,
		"javascript:alert(1)":                             false,
		"":                                                false,
		"http://127.0.0.1:1/" + strings.Repeat("a", 1024): false,
	} {
		if err := login.CheckRedirectURI(uri, allowed); (err == nil) != want {
			t.Errorf("%q: %v, want good %v", uri, err, want)
		}
	}
}

func inFlight(t *testing.T, as *tokens) {
	t.Helper()
	synctest.Wait()
	if n := len(as.requests()); n != 1 {
		t.Fatalf("%d exchanges in flight", n)
	}
}
