package oauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/usherauth/usher/oauth"
)

// publisher serves metadata documents by path; {issuer} in them is the server's URL.
func publisher(t *testing.T, documents map[string]string) *recorder {
	t.Helper()
	return answers(t, func(w http.ResponseWriter, r *http.Request) {
		document, ok := documents[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, strings.ReplaceAll(document, "{issuer}", "http://"+r.Host))
	})
}

func (r *recorder) paths() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var paths []string
	for _, s := range r.requests {
		paths = append(paths, s.Method+" "+s.Path)
	}
	return paths
}

func TestDiscover(t *testing.T) {
	srv := publisher(t, map[string]string{"/.well-known/oauth-authorization-server": `{
		"issuer":"{issuer}","token_endpoint":"{issuer}/token","device_authorization_endpoint":"{issuer}/device",
		"authorization_endpoint":"{issuer}/authorize","revocation_endpoint":"{issuer}/revoke","userinfo_endpoint":"{issuer}/me",
		"registration_endpoint":"{issuer}/register","jwks_uri":"{issuer}/jwks","scopes_supported":["openid"],
		"grant_types_supported":["refresh_token"],"code_challenge_methods_supported":["S256"],
		"token_endpoint_auth_methods_supported":["none"],"authorization_response_iss_parameter_supported":true}`})
	got, err := oauth.Discover(t.Context(), nil, srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	u := srv.URL
	want := &oauth.Metadata{
		Issuer: u, DeviceAuthorizationEndpoint: u + "/device", AuthorizationEndpoint: u + "/authorize", TokenEndpoint: u + "/token",
		RevocationEndpoint: u + "/revoke", UserinfoEndpoint: u + "/me", RegistrationEndpoint: u + "/register", JWKSURI: u + "/jwks",
		GrantTypes: []string{"refresh_token"}, CodeChallengeMethods: []string{"S256"}, TokenAuthMethods: []string{"none"},
		Scopes: []string{"openid"}, ISSParameterSupported: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	wantEndpoints := oauth.Endpoints{
		Issuer: u, DeviceAuthorization: u + "/device", Authorization: u + "/authorize", Token: u + "/token",
		Revocation: u + "/revoke", Userinfo: u + "/me", RequireISS: true,
	}
	if diff := cmp.Diff(wantEndpoints, got.Endpoints()); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
	if err := got.Endpoints().Validate(); err != nil {
		t.Error(err)
	}
}

func TestRFC8414_62_IssuerIsHTTPSWithoutQueryOrFragment(t *testing.T) {
	for _, issuer := range []string{"http://op.example", "https://op.example?x", "https://op.example?", "https://op.example#x", "https://op.example/#", "", "op.example", "https://u:p@op.example"} {
		_, err := oauth.Discover(t.Context(), nil, issuer)
		wantError(t, err, oauth.KindConfig, oauth.NotSent, "")
		if issuer != "" && (oauth.Endpoints{Issuer: issuer}).Validate() == nil {
			t.Errorf("%s is a valid issuer", issuer)
		}
	}
}

func TestRFC8414_63_WellKnownNamesAreAskedInOrder(t *testing.T) {
	for _, tt := range []struct {
		path string
		want []string
	}{
		{"", []string{"GET /.well-known/oauth-authorization-server", "GET /.well-known/openid-configuration"}},
		{"/", []string{"GET /.well-known/oauth-authorization-server", "GET /.well-known/openid-configuration"}},
		{"/realms/a", []string{
			"GET /.well-known/oauth-authorization-server/realms/a",
			"GET /.well-known/openid-configuration/realms/a",
			"GET /realms/a/.well-known/openid-configuration",
		}},
		{"/realms/a/", []string{
			"GET /.well-known/oauth-authorization-server/realms/a",
			"GET /.well-known/openid-configuration/realms/a",
			"GET /realms/a/.well-known/openid-configuration",
		}},
	} {
		srv := publisher(t, nil)
		_, err := oauth.Discover(t.Context(), nil, srv.URL+tt.path)
		wantError(t, err, oauth.KindStatus, oauth.Answered, "")
		if diff := cmp.Diff(tt.want, srv.paths()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.path, diff)
		}
	}
}

func TestRFC8414_63_EachFormIsFound(t *testing.T) {
	for _, path := range []string{
		"/.well-known/oauth-authorization-server/realms/a",
		"/.well-known/openid-configuration/realms/a",
		"/realms/a/.well-known/openid-configuration",
	} {
		srv := publisher(t, map[string]string{path: `{"issuer":"{issuer}/realms/a","token_endpoint":"{issuer}/token"}`})
		if _, err := oauth.Discover(t.Context(), nil, srv.URL+"/realms/a"); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestRFC8414_64_IssuerInTheDocumentIsExact(t *testing.T) {
	for _, issuer := range []string{"{issuer}/", "{issuer}/A", "{issuer}/a/", "{issuer}:80/a", "{issuer}/%61", "https://op.example/a"} {
		srv := publisher(t, map[string]string{"/.well-known/oauth-authorization-server/a": `{"issuer":"` + issuer + `","token_endpoint":"{issuer}/token"}`})
		_, err := oauth.Discover(t.Context(), nil, srv.URL+"/a")
		wantError(t, err, oauth.KindMalformed, oauth.Ambiguous, "")
		if !errors.Is(err, oauth.ErrIssuer) {
			t.Errorf("%s: got %v, want ErrIssuer", issuer, err)
		}
	}
}

func TestRFC8414_65_EndpointsAreHTTPS(t *testing.T) {
	srv := publisher(t, map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"{issuer}","token_endpoint":"http://op.example/token"}`})
	_, err := oauth.Discover(t.Context(), nil, srv.URL)
	wantError(t, err, oauth.KindMalformed, oauth.Ambiguous, "")
	for _, e := range []oauth.Endpoints{
		{Token: "http://op.example/"}, {DeviceAuthorization: "javascript:x"}, {Authorization: "https://a@op.example/"},
		{Revocation: "https://op.example/#x"}, {Userinfo: "/me"},
	} {
		if e.Validate() == nil {
			t.Errorf("%+v is valid", e)
		}
	}
	if err := (oauth.Endpoints{Token: "http://localhost:1/t", Revocation: "http://[::1]:1/r", Userinfo: "https://op.example/me?x=y"}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestRFC8414_66_ListsHaveDefaults(t *testing.T) {
	srv := publisher(t, map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"{issuer}","token_endpoint":"{issuer}/token"}`})
	m, err := oauth.Discover(t.Context(), nil, srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	got := [][]string{m.GrantTypes, m.TokenAuthMethods, m.CodeChallengeMethods, m.Scopes}
	want := [][]string{{"authorization_code", "implicit"}, {"client_secret_basic"}, nil, nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
}

func TestRFC8414_67_SignedMetadataIsNotTrusted(t *testing.T) {
	srv := publisher(t, map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"{issuer}","token_endpoint":"{issuer}/token",
		"signed_metadata":"e30.eyJ0b2tlbl9lbmRwb2ludCI6Imh0dHBzOi8vZXZpbC5leGFtcGxlL3Rva2VuIn0."}`})
	m, err := oauth.Discover(t.Context(), nil, srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	if m.TokenEndpoint != srv.URL+"/token" {
		t.Errorf("token endpoint %s", m.TokenEndpoint)
	}
}

func TestDiscoverFollowsRedirectsWithinTheOrigin(t *testing.T) {
	for hops, wantOK := range map[int]bool{1: true, 3: true, 4: false} {
		left := hops
		srv := answers(t, func(w http.ResponseWriter, r *http.Request) {
			if left--; left >= 0 {
				http.Redirect(w, r, fmt.Sprintf("/hop%d", left), http.StatusFound)
				return
			}
			fmt.Fprintf(w, `{"issuer":"http://%s","token_endpoint":"http://%s/token"}`, r.Host, r.Host)
		})
		_, err := oauth.Discover(t.Context(), nil, srv.URL)
		if wantOK != (err == nil) && hops != 4 {
			t.Errorf("%d hops: %v", hops, err)
		}
		// The fourth hop of the first document is not followed; the second document is then found at once.
		if hops == 4 && !cmp.Equal(srv.paths()[4], "GET /.well-known/openid-configuration") {
			t.Errorf("4 hops: requests %v", srv.paths())
		}
	}
}

func TestDiscoverDoesNotLeaveTheOrigin(t *testing.T) {
	target := says(t, 200, "{}")
	srv := answers(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL+"/x", http.StatusFound) })
	_, err := oauth.Discover(t.Context(), nil, srv.URL)
	wantError(t, err, oauth.KindRedirect, oauth.Answered, "")
	if n := target.count(); n != 0 {
		t.Errorf("the other origin saw %d requests, want none", n)
	}
}

func TestDiscoverStopsAtAFault(t *testing.T) {
	srv := says(t, 503, "")
	_, err := oauth.Discover(t.Context(), nil, srv.URL)
	wantError(t, err, oauth.KindServer, oauth.Ambiguous, "")
	srv.only(t)
}

// A server that is not on this machine has no business with what listens on it.
func TestRFC8414_65_LoopbackIsForLoopbackIssuers(t *testing.T) {
	for _, member := range []string{"token_endpoint", "device_authorization_endpoint", "revocation_endpoint", "jwks_uri"} {
		srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			issuer := "https://" + r.Host
			document := map[string]string{"issuer": issuer, "token_endpoint": issuer + "/token"}
			document[member] = "http://127.0.0.1:1/x"
			_ = json.NewEncoder(w).Encode(document)
		}))
		m, err := oauth.Discover(t.Context(), srv.Client(), srv.URL)
		if m != nil {
			t.Errorf("%s: got %+v, want it refused", member, m)
		}
		wantError(t, err, oauth.KindMalformed, oauth.Ambiguous, "")
		srv.Close()
	}
}
