package oauth_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/usherauth/usher/internal/safetext"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

var codeClient = oauth.Client{ID: "cli", Endpoints: oauth.Endpoints{Authorization: "https://op.example/authorize"}}

func codeRequest() oauth.AuthCodeRequest {
	return oauth.AuthCodeRequest{
		RedirectURI:   "http://127.0.0.1:4321/cb",
		State:         "st",
		CodeChallenge: "ch",
		Scopes:        []string{"openid", "a&b"},
		Resource:      "https://api.example",
	}
}

func TestAuthCodeURL(t *testing.T) {
	c := codeClient
	got, err := c.AuthCodeURL(codeRequest())
	if err != nil {
		t.Fatal(err)
	}
	want := "https://op.example/authorize?response_type=code&client_id=cli&redirect_uri=http%3A%2F%2F127.0.0.1%3A4321%2Fcb" +
		"&scope=openid%20a%26b&state=st&code_challenge=ch&code_challenge_method=S256&resource=https%3A%2F%2Fapi.example"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRFC6749_6_EndpointQueryIsKept(t *testing.T) {
	c := codeClient
	c.Endpoints.Authorization = "https://op.example/authorize?tenant=a%20b&x="
	got, err := c.AuthCodeURL(codeRequest())
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://op.example/authorize?tenant=a%20b&x=&response_type=code&client_id=cli&"; !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want it to begin %s", got, want)
	}
}

func TestRFC6749_6_RedirectURIHasNoFragment(t *testing.T) {
	for _, redirect := range []string{"http://127.0.0.1/cb#x", "http://127.0.0.1/cb#", "/cb", "http://op.example/cb", "javascript:x", ""} {
		c, r := codeClient, codeRequest()
		r.RedirectURI = redirect
		_, err := c.AuthCodeURL(r)
		wantError(t, err, oauth.KindConfig, oauth.NotSent, "")
	}
}

func TestRFC6749_3_AuthorizationParametersStandOnce(t *testing.T) {
	c := codeClient
	c.Endpoints.Authorization = "https://op.example/authorize?client_id=other"
	_, err := c.AuthCodeURL(codeRequest())
	wantError(t, err, oauth.KindConfig, oauth.NotSent, "")
}

func TestRFC6749_7_SecretIsNeverInTheURL(t *testing.T) {
	for _, style := range []oauth.AuthStyle{oauth.AuthPost, oauth.AuthBasic} {
		c := codeClient
		c.AuthStyle, c.Secret = style, secret.New("s3cret-value")
		got, err := c.AuthCodeURL(codeRequest())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got, "s3cret-value") {
			t.Errorf("%s: secret in %s", style, got)
		}
		srv := says(t, 200, goodToken)
		c = *srv.client()
		c.AuthStyle, c.Secret = style, secret.New("s3cret-value")
		if _, err := c.Refresh(t.Context(), oldToken); err != nil {
			t.Fatal(err)
		}
		if path := srv.only(t).Path; path != "/token" {
			t.Errorf("%s: token request goes to %s", style, path)
		}
	}
}

func TestRFC8252_27_NoAuthorizationWithoutPKCE(t *testing.T) {
	c, r := codeClient, codeRequest()
	r.CodeChallenge = ""
	_, err := c.AuthCodeURL(r)
	wantError(t, err, oauth.KindConfig, oauth.NotSent, "")
	_, err = c.ExchangeCode(t.Context(), secret.New("code"), r.RedirectURI, secret.String{})
	wantError(t, err, oauth.KindConfig, oauth.NotSent, "")
}

func TestRFC7636_24_VerifierGoesToTheTokenEndpointOnly(t *testing.T) {
	srv := says(t, 200, goodDevice[:len(goodDevice)-1]+","+goodToken[1:])
	c := srv.client()
	d, err := c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if body := srv.only(t).Body; strings.Contains(body, d.CodeVerifier.Reveal()) {
		t.Error("the verifier is in the device authorization request")
	}
	if _, err := c.ExchangeCode(t.Context(), secret.New("code-1"), "http://127.0.0.1:1/cb", d.CodeVerifier); err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {"code-1"},
		"redirect_uri":  {"http://127.0.0.1:1/cb"},
		"client_id":     {"cli"},
		"code_verifier": {d.CodeVerifier.Reveal()},
	}
	if diff := cmp.Diff(want, srv.requests[1].form(t)); diff != "" || srv.requests[1].Path != "/token" {
		t.Errorf("exchange at %s (-want +got):\n%s", srv.requests[1].Path, diff)
	}
}

func TestRFC7636_21_VerifierIsFreshAndLong(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		v := oauth.NewVerifier().Reveal()
		if len(v) != 43 || strings.Trim(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("verifier of %d characters, or of others than unreserved ones", len(v))
		}
		if seen[v] {
			t.Fatal("the same verifier twice")
		}
		seen[v] = true
	}
}

func TestRFC7636_22_ChallengeOfAppendixB(t *testing.T) {
	got := oauth.ChallengeS256(secret.New("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))
	if want := "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"; got != want {
		t.Errorf("challenge %s, want %s", got, want)
	}
}

func TestRFC7636_23_NoPlainAfterAFailure(t *testing.T) {
	srv := says(t, 400, `{"error":"invalid_request","error_description":"transform algorithm not supported"}`)
	_, err := srv.client().AuthorizeDevice(t.Context(), oauth.DeviceRequest{})
	wantError(t, err, oauth.KindOAuth, oauth.Answered, oauth.ErrorInvalidRequest)
	if got := srv.only(t).form(t).Get("code_challenge_method"); got != "S256" {
		t.Errorf("method %q, want S256", got)
	}
}

func TestCheckAuthResponse(t *testing.T) {
	const issuer = "https://op.example"
	for _, tt := range []struct {
		name, query string
		requireISS  bool
		noIssuer    bool
		wantCode    string
		wantErr     error
		wantOAuth   string
	}{
		{name: "code", query: "code=c1&state=st", wantCode: "c1"},
		{name: "code and iss", query: "code=c1&state=st&iss=https://op.example", requireISS: true, wantCode: "c1"},
		{name: "iss of an unknown issuer", query: "code=c1&state=st&iss=https://op.example", noIssuer: true, wantCode: "c1"},
		{name: "denied", query: "error=access_denied&error_description=no%1b&state=st", wantOAuth: "access_denied"},
		{name: "unreadable error", query: "error=%1b&state=st"},
		{name: "no code", query: "state=st"},
		{name: "empty code", query: "code=&state=st"},
		{name: "two codes", query: "code=a&code=b&state=st"},
		{name: "no state", query: "code=c1", wantErr: oauth.ErrState},
		{name: "other state", query: "code=c1&state=sT", wantErr: oauth.ErrState},
		{name: "two states", query: "code=c1&state=st&state=st", wantErr: oauth.ErrState},
		{name: "array state", query: "code=c1&state[]=st", wantErr: oauth.ErrState},
		{name: "error without state", query: "error=access_denied", wantErr: oauth.ErrState},
		{name: "iss required", query: "code=c1&state=st", requireISS: true, wantErr: oauth.ErrIssuer},
		{name: "iss required, error", query: "error=access_denied&state=st", requireISS: true, wantErr: oauth.ErrIssuer},
		{name: "iss empty", query: "code=c1&state=st&iss=", wantErr: oauth.ErrIssuer},
		{name: "iss twice", query: "code=c1&state=st&iss=https://op.example&iss=https://op.example", wantErr: oauth.ErrIssuer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			e := oauth.Endpoints{Issuer: issuer, RequireISS: tt.requireISS}
			if tt.noIssuer {
				e.Issuer = ""
			}
			code, err := oauth.CheckAuthResponse(q, e, "st")
			if code.Reveal() != tt.wantCode || (err == nil) != (tt.wantCode != "") {
				t.Fatalf("got code %t, error %v", !code.IsZero(), err)
			}
			if tt.wantErr != nil && !errors.Is(err, tt.wantErr) {
				t.Errorf("got error %v, want %v", err, tt.wantErr)
			}
			if oauth.CodeOf(err) != tt.wantOAuth {
				t.Errorf("got OAuth error %q, want %q", oauth.CodeOf(err), tt.wantOAuth)
			}
		})
	}
	if _, err := oauth.CheckAuthResponse(url.Values{"code": {"c"}, "state": {""}}, oauth.Endpoints{}, ""); err == nil {
		t.Error("an empty state is taken for a match")
	}
}

func TestRFC9207_73_AbsentIssIsRefusedWhenAdvertised(t *testing.T) {
	q := url.Values{"code": {"c"}, "state": {"st"}}
	if _, err := oauth.CheckAuthResponse(q, oauth.Endpoints{Issuer: "https://op.example", RequireISS: true}, "st"); !errors.Is(err, oauth.ErrIssuer) {
		t.Errorf("got %v, want ErrIssuer", err)
	}
}

func TestRFC9207_74_IssIsComparedAsAString(t *testing.T) {
	for _, iss := range []string{"https://op.example/", "https://OP.example", "https://op.example:443", "https://op%2eexample", " https://op.example", "HTTPS://op.example"} {
		q := url.Values{"code": {"c"}, "state": {"st"}, "iss": {iss}}
		if _, err := oauth.CheckAuthResponse(q, oauth.Endpoints{Issuer: "https://op.example"}, "st"); !errors.Is(err, oauth.ErrIssuer) {
			t.Errorf("%q: got %v, want ErrIssuer", iss, err)
		}
	}
}

func TestRFC9207_75_ErrorTextOfAnotherIssuerIsIgnored(t *testing.T) {
	q := url.Values{"error": {"access_denied"}, "error_description": {"call 555-EVIL"}, "state": {"st"}, "iss": {"https://evil.example"}}
	_, err := oauth.CheckAuthResponse(q, oauth.Endpoints{Issuer: "https://op.example"}, "st")
	e := asError(t, err)
	if !errors.Is(err, oauth.ErrIssuer) || e.Code != "" || e.Description != "" {
		t.Errorf("got %v with code %q and description %q", err, e.Code, e.Description)
	}
}

// The endpoint may come from a server's metadata, and people paste links into shells.
func TestAuthCodeURLIsFitToBeShown(t *testing.T) {
	c := codeClient
	c.Endpoints.Authorization = "https://op.example/$(id)?x='$(id)'"
	got, err := c.AuthCodeURL(codeRequest())
	if err != nil {
		t.Fatal(err)
	}
	if shown, err := safetext.URL(got); err != nil || shown != got {
		t.Errorf("got %s, %v, want it as safetext shows it: %s", got, err, shown)
	}
}
