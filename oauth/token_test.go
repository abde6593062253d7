package oauth_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

func TestRFC6749_1_TokenEndpointNeedsTLS(t *testing.T) {
	for _, endpoint := range []string{"http://op.example/token", "ftp://op.example/token", "op.example/token", "//op.example/token", "https:///token"} {
		c := &oauth.Client{ID: "cli", Endpoints: oauth.Endpoints{Token: endpoint}}
		_, err := c.Refresh(t.Context(), oldToken)
		wantError(t, err, oauth.KindConfig, oauth.NotSent, "")
	}
}

func TestRFC6749_2_TokenRequestIsFormPost(t *testing.T) {
	srv := says(t, 200, goodToken)
	c := srv.client()
	c.ID = "clé"
	if _, err := c.Refresh(t.Context(), oldToken); err != nil {
		t.Fatal(err)
	}
	got := srv.only(t)
	if got.Method != "POST" || got.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("got %s %s, want a form POST", got.Method, got.Header.Get("Content-Type"))
	}
	if want := "grant_type=refresh_token&refresh_token=rt-1&client_id=cl%C3%A9"; got.Body != want {
		t.Errorf("body %s, want %s", got.Body, want)
	}
}

func TestRFC6749_3_EmptyParametersAreOmitted(t *testing.T) {
	srv := says(t, 200, goodToken)
	if _, err := srv.client().Refresh(t.Context(), oldToken); err != nil {
		t.Fatal(err)
	}
	for name, values := range srv.only(t).form(t) {
		if len(values) != 1 || values[0] == "" {
			t.Errorf("%s is sent as %q, want one value that is not empty", name, values)
		}
	}
}

func TestRFC6749_4_UnknownMembersAreKeptAside(t *testing.T) {
	srv := says(t, 200, `{"access_token":"at-1","token_type":"Bearer","expires_in":60,"endpoint":"x","nested":{"a":[1]},"error":null}`)
	tok, err := srv.client().Refresh(t.Context(), oldToken)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(tok.Extra.Reveal()), &got); err != nil {
		t.Fatalf("Extra is no JSON object: %v", err)
	}
	want := map[string]any{"endpoint": "x", "nested": map[string]any{"a": []any{1.0}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Extra (-want +got):\n%s", diff)
	}
}

func TestRFC6749_5_TokenOfUnknownTypeIsNotUsed(t *testing.T) {
	srv := says(t, 200, `{"access_token":"at-1","token_type":"mac"}`)
	_, err := srv.client().Refresh(t.Context(), oldToken)
	wantError(t, err, oauth.KindMalformed, oauth.Ambiguous, "")
	if got := asError(t, err).Body.Reveal(); got != `{"access_token":"at-1","token_type":"mac"}` {
		t.Errorf("kept %q, want the whole answer", got)
	}
}

func TestRFC6749_8_BasicIsFormEncodedAndAlone(t *testing.T) {
	srv := says(t, 200, goodToken)
	c := srv.client()
	c.ID, c.Secret, c.AuthStyle = "my client:1", secret.New("p+ss/w%rd é"), oauth.AuthBasic
	if _, err := c.Refresh(t.Context(), oldToken); err != nil {
		t.Fatal(err)
	}
	got := srv.only(t)
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("my+client%3A1:p%2Bss%2Fw%25rd+%C3%A9"))
	if h := got.Header.Get("Authorization"); h != want {
		t.Errorf("Authorization %q, want %q", h, want)
	}
	if got.Body != "grant_type=refresh_token&refresh_token=rt-1" {
		t.Errorf("body %q, want no client_id and no client_secret", got.Body)
	}
}

func TestRFC6749_8_PostHasNoHeader(t *testing.T) {
	srv := says(t, 200, goodToken)
	c := srv.client()
	c.Secret, c.AuthStyle = secret.New("s3cret"), oauth.AuthPost
	if _, err := c.Refresh(t.Context(), oldToken); err != nil {
		t.Fatal(err)
	}
	got := srv.only(t)
	if h := got.Header.Get("Authorization"); h != "" {
		t.Errorf("Authorization %q beside client_secret in the body", h)
	}
	if want := "grant_type=refresh_token&refresh_token=rt-1&client_id=cli&client_secret=s3cret"; got.Body != want {
		t.Errorf("body %q, want %q", got.Body, want)
	}
}

func TestAuthStyleMustFitTheSecret(t *testing.T) {
	srv := says(t, 200, goodToken)
	for _, tt := range []struct {
		style  oauth.AuthStyle
		secret string
	}{{oauth.AuthNone, "s"}, {"", "s"}, {oauth.AuthPost, ""}, {oauth.AuthBasic, ""}, {"probe", "s"}} {
		c := srv.client()
		c.AuthStyle, c.Secret = tt.style, secret.New(tt.secret)
		_, err := c.Refresh(t.Context(), oldToken)
		wantError(t, err, oauth.KindConfig, oauth.NotSent, "")
	}
	if n := srv.count(); n != 0 {
		t.Errorf("server saw %d requests, want none", n)
	}
}

func TestRFC6749_10_RefreshScopeIsSentAsGiven(t *testing.T) {
	srv := says(t, 200, goodToken)
	if _, err := srv.client().Refresh(t.Context(), oauth.RefreshRequest{RefreshToken: secret.New("rt-1"), Scopes: []string{"a", "b"}}); err != nil {
		t.Fatal(err)
	}
	if got := srv.only(t).form(t).Get("scope"); got != "a b" {
		t.Errorf("scope %q, want %q", got, "a b")
	}
}

func TestRFC6749_11_AbsentScopeIsNil(t *testing.T) {
	for member, want := range map[string][]string{"": nil, `,"scope":null`: nil, `,"scope":""`: {}, `,"scope":"a b"`: {"a", "b"}, `,"scope":["a","b"]`: {"a", "b"}} {
		srv := says(t, 200, `{"access_token":"at-1","token_type":"Bearer"`+member+`}`)
		tok, err := srv.client().Refresh(t.Context(), oldToken)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, tok.Scopes); diff != "" {
			t.Errorf("%s: scopes (-want +got):\n%s", member, diff)
		}
	}
}

func TestRFC6749_12_ErrorCodesAreKeptApart(t *testing.T) {
	for _, code := range []string{
		oauth.ErrorInvalidRequest, oauth.ErrorInvalidClient, oauth.ErrorInvalidGrant, oauth.ErrorUnauthorizedClient,
		oauth.ErrorUnsupportedGrantType, oauth.ErrorInvalidScope,
	} {
		status := 400
		if code == oauth.ErrorInvalidClient {
			status = 401
		}
		srv := says(t, status, `{"error":"`+code+`","error_description":"because"}`)
		_, err := srv.client().Refresh(t.Context(), oldToken)
		wantError(t, err, oauth.KindOAuth, oauth.Answered, code)
		if e := asError(t, err); e.Status != status || e.Description != "because" {
			t.Errorf("%s: got status %d description %q", code, e.Status, e.Description)
		}
	}
}

func TestRFC6749_13_TokenOfAnySize(t *testing.T) {
	long := strings.Repeat("a", 200<<10)
	tok, err := says(t, 200, `{"access_token":"`+long+`","token_type":"Bearer"}`).client().Refresh(t.Context(), oldToken)
	if err != nil {
		t.Fatal(err)
	}
	if tok.AccessToken.Reveal() != long {
		t.Errorf("got %d bytes, want %d", tok.AccessToken.Len(), len(long))
	}
}

func TestRFC8707_77_ResourceGoesWithEveryGrant(t *testing.T) {
	for name, call := range map[string]func(*oauth.Client) error{
		"device": func(c *oauth.Client) error {
			_, err := c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{})
			return err
		},
		"poll": func(c *oauth.Client) error {
			_, err := c.PollDevice(t.Context(), secret.New("dc-1"), secret.String{})
			return err
		},
		"exchange": func(c *oauth.Client) error {
			_, err := c.ExchangeCode(t.Context(), secret.New("c"), "http://127.0.0.1:1/cb", secret.New("v"))
			return err
		},
		"refresh": func(c *oauth.Client) error {
			_, err := c.Refresh(t.Context(), oldToken)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := says(t, 200, goodDevice[:len(goodDevice)-1]+","+goodToken[1:])
			c := srv.client()
			c.Resource = "https://api.example/v1"
			if err := call(c); err != nil {
				t.Fatal(err)
			}
			if got := srv.only(t).form(t).Get("resource"); got != c.Resource {
				t.Errorf("resource %q, want %q", got, c.Resource)
			}
		})
	}
}

func TestRFC8707_76_ResourceIsAbsoluteWithoutFragment(t *testing.T) {
	srv := says(t, 200, goodToken)
	for _, resource := range []string{"/relative", "api.example", "https://api.example/#x", "https://api.example#", "://", "https://a b"} {
		_, err := srv.client().Refresh(t.Context(), oauth.RefreshRequest{RefreshToken: secret.New("rt-1"), Resource: resource})
		wantError(t, err, oauth.KindConfig, oauth.NotSent, "")
	}
	if n := srv.count(); n != 0 {
		t.Errorf("server saw %d requests, want none", n)
	}
}

func TestRefreshLifetime(t *testing.T) {
	for member, want := range map[string]time.Duration{
		"":                                       0,
		`,"refresh_expires_in":1800`:             30 * time.Minute,
		`,"refresh_token_expires_in":"15897600"`: 184 * 24 * time.Hour,
		`,"refresh_expires_in":0`:                0,
		`,"refresh_expires_in":-1`:               0,
		`,"refresh_expires_in":"soon"`:           0,
		`,"refresh_token_expires_in":null,"refresh_expires_in":7`: 7 * time.Second,
		`,"refresh_expires_in":1e400`:                             10 * 365 * 24 * time.Hour,
	} {
		tok, err := says(t, 200, `{"access_token":"at-1","token_type":"Bearer"`+member+`}`).client().Refresh(t.Context(), oldToken)
		if err != nil {
			t.Fatal(err)
		}
		if tok.RefreshLifetime != want {
			t.Errorf("%s: got %v, want %v", member, tok.RefreshLifetime, want)
		}
	}
}

func TestLifetimeAsPointInTime(t *testing.T) {
	at := time.Now().Add(time.Hour)
	for _, value := range []int64{at.Unix(), at.UnixMilli()} {
		tok, err := says(t, 200, fmt.Sprintf(`{"access_token":"at-1","token_type":"Bearer","expires_in":%d}`, value)).client().Refresh(t.Context(), oldToken)
		if err != nil {
			t.Fatal(err)
		}
		if tok.Lifetime < 59*time.Minute || tok.Lifetime > time.Hour || len(tok.Warnings) != 1 {
			t.Errorf("%d: lifetime %v with warnings %q, want about 1h and one warning", value, tok.Lifetime, tok.Warnings)
		}
	}
}

func TestRefreshNeedsAToken(t *testing.T) {
	srv := says(t, 200, goodToken)
	_, err := srv.client().Refresh(t.Context(), oauth.RefreshRequest{})
	wantError(t, err, oauth.KindConfig, oauth.NotSent, "")
	if n := srv.count(); n != 0 {
		t.Errorf("server saw %d requests, want none", n)
	}
}

func TestSecretsStayOutOfErrors(t *testing.T) {
	const canary = "canary-0123456789abcdef"
	// A server that sends the request back, in every way that ends up in some error.
	for name, h := range map[string]http.HandlerFunc{
		"description": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"error":"invalid_grant","error_description":"bad token %s"}`, canary)
		},
		"code": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"error":"%s"}`, canary)
		},
		"body": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, canary) },
		"location": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://[::1"+canary)
			w.WriteHeader(302)
		},
		"statusLine": func(w http.ResponseWriter, r *http.Request) { hijack(w, "HTTP/1.1 200x "+canary+"\r\n\r\n") },
		"no http":    func(w http.ResponseWriter, r *http.Request) { hijack(w, canary+"\r\n\r\n") },
		"header":     func(w http.ResponseWriter, r *http.Request) { hijack(w, "HTTP/1.1 200 OK\r\n"+canary+"\r\n\r\n") },
		"chunk": func(w http.ResponseWriter, r *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+canary+"\r\n")
		},
		"token": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"access_token":"%s","token_type":"%s"}`, canary, canary)
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := answers(t, h)
			c := srv.client()
			c.Secret, c.AuthStyle = secret.New(canary+"-client"), oauth.AuthPost
			_, err := c.Refresh(t.Context(), oauth.RefreshRequest{RefreshToken: secret.New(canary)})
			if !strings.Contains(srv.only(t).Body, canary) {
				t.Fatal("the canary was not in the request")
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				for _, text := range []string{e.Error(), fmt.Sprintf("%v %+v %#v %q", e, e, e, e)} {
					if strings.Contains(text, canary) {
						t.Errorf("error repeats a secret: %s", text)
					}
				}
			}
		})
	}
}

func TestClientSecretStaysOutOfErrors(t *testing.T) {
	for _, style := range []oauth.AuthStyle{oauth.AuthPost, oauth.AuthBasic} {
		c := says(t, 401, `{"error":"invalid_client","error_description":"wrong: client-canary"}`).client()
		c.Secret, c.AuthStyle = secret.New("client-canary"), style
		_, err := c.Refresh(t.Context(), oldToken)
		wantError(t, err, oauth.KindOAuth, oauth.Answered, oauth.ErrorInvalidClient)
		if got := asError(t, err).Description; got != "" {
			t.Errorf("%s: description %q repeats the client secret", style, got)
		}
	}
}

func hijack(w http.ResponseWriter, raw string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	conn.Write([]byte(raw))
	conn.Close()
}

func TestParseAuthStyleAndDialect(t *testing.T) {
	for _, style := range []oauth.AuthStyle{oauth.AuthNone, oauth.AuthPost, oauth.AuthBasic} {
		if got, err := oauth.ParseAuthStyle(string(style)); got != style || err != nil {
			t.Errorf("style %s: got %q, %v", style, got, err)
		}
	}
	for _, d := range oauth.Dialects() {
		if got, err := oauth.ParseDialect(string(d)); got != d || err != nil {
			t.Errorf("dialect %s: got %q, %v", d, got, err)
		}
	}
	if got, err := oauth.ParseAuthStyle(""); got != oauth.AuthNone || err != nil {
		t.Errorf("empty style: got %q, %v", got, err)
	}
	if got, err := oauth.ParseDialect(""); got != oauth.DialectStandard || err != nil {
		t.Errorf("empty dialect: got %q, %v", got, err)
	}
	for _, s := range []string{"None", "client_secret_post", "x"} {
		if _, err := oauth.ParseAuthStyle(s); err == nil {
			t.Errorf("style %s: no error", s)
		}
		if _, err := oauth.ParseDialect(s); err == nil {
			t.Errorf("dialect %s: no error", s)
		}
	}
}

func TestExtraIsBounded(t *testing.T) {
	for size, kept := range map[int]bool{oauth.MaxExtra - 100: true, oauth.MaxExtra: false} {
		srv := says(t, 200, `{"access_token":"at-1","token_type":"Bearer","expires_in":60,"x":"`+strings.Repeat("x", size)+`"}`)
		tok, err := srv.client().Refresh(t.Context(), oldToken)
		if err != nil {
			t.Fatal(err)
		}
		if tok.Extra.IsZero() == kept || (len(tok.Warnings) == 0) != kept {
			t.Errorf("%d bytes: kept %d, warnings %q, want kept %v", size, tok.Extra.Len(), tok.Warnings, kept)
		}
	}
}
