package e2e

import (
	"net/http"
	"net/url"
	"testing"
)

// TestCodeLogin logs in by method code, and brings the answer of the
// authorization endpoint as a person would.
func TestCodeLogin(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box("--interval", "1", "--approve", "auto")
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "native")
	h.serve()
	w := h.wire()
	login := decode[struct {
		ID               string
		AuthorizationURI string `json:"authorization_uri"`
	}](t, string(w.do("POST", "/v1/logins", `{"key":"here","method":"code"}`).want(201, "").body))
	path := "/v1/logins/" + login.ID + "/complete"
	w.do("POST", "/workspace/auth/device-flow", `{"providerId":"here"}`).want(409, "conflict")
	w.do("POST", path, `{}`).want(400, "invalid_request")
	w.do("POST", path, `{"code":"x","state":"of somebody else"}`).want(400, "state_mismatch")
	w.do("POST", "/v1/logins/nope/complete", `{"code":"x","state":"x"}`).want(404, "login_not_found")
	w.do("POST", "/v1/logins", `{"key":"here","method":"device"}`).want(409, "conflict")
	device := w.do("POST", "/v1/logins", `{"key":"here/work"}`).want(201, "").login()
	w.do("POST", "/v1/logins/"+device.ID+"/complete", `{"code":"x","state":"x"}`).want(409, "conflict")

	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := stay.Get(login.AuthorizationURI)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	to, err := url.Parse(response.Header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		t.Fatalf("the provider answered %s and leads to %v, %v", response.Status, to, err)
	}
	q := to.Query()
	w.do("POST", path, `{"code":"`+q.Get("code")+`","state":"`+q.Get("state")+`","iss":"https://evil.example"}`).want(400, "issuer_mismatch")
	body := `{"redirected_url":"` + to.String() + `"}`
	if got := w.do("POST", path, body).want(200, "").login(); got.Status != "authorized" {
		t.Errorf("the login became %+v", got)
	}
	w.do("POST", path, body).want(409, "login_ended")
	if token := h.token("here"); token == "" {
		t.Error("there is no token")
	}
}

// TestCodeThatCannotBeSent brings an answer whose code the provider cannot be
// given: its token endpoint is where nobody listens. The login stays pending.
func TestCodeThatCannotBeSent(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("provider", "add", "away", "--client-id", "native",
		"--authorization-endpoint", "http://127.0.0.1:1/authorize", "--token-endpoint", "http://127.0.0.1:1/token")
	h.serve()
	w := h.wire()
	login := decode[struct {
		ID               string
		AuthorizationURI string `json:"authorization_uri"`
	}](t, string(w.do("POST", "/v1/logins", `{"key":"away","method":"code","redirect_uri":"http://127.0.0.1:51234/cb"}`).want(201, "").body))
	link, err := url.Parse(login.AuthorizationURI)
	if err != nil || link.Query().Get("redirect_uri") != "http://127.0.0.1:51234/cb" {
		t.Fatalf("the link is %s, %v", login.AuthorizationURI, err)
	}
	body := `{"code":"x","state":"` + link.Query().Get("state") + `"}`
	for range 2 {
		w.do("POST", "/v1/logins/"+login.ID+"/complete", body).want(502, "provider_unreachable")
	}
	if got := w.do("GET", "/v1/logins/"+login.ID, "").want(200, "").login(); got.Status != "pending" {
		t.Errorf("the login became %+v", got)
	}
}
