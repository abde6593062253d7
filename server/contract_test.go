package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/server"
)

// The bodies in this file are the contract's, typed by hand. Each names the row
// of the protocol's description that it stands for: a section, or "10" for its
// table of requests and answers. "ours" is where we differ, by docs/security.md.

const compatJSON = "application/json; charset=utf-8"

func authorized(method, target, body string, headers ...string) *http.Request {
	return request(method, target, body, append([]string{"Authorization", "Bearer " + bearer}, headers...)...)
}

// post is POST device-flow with a JSON body.
func post(body string, headers ...string) *http.Request {
	return authorized("POST", "/workspace/auth/device-flow", body, append([]string{"Content-Type", "application/json"}, headers...)...)
}

// flows are the states of a flow as the contract has them, by client id: what
// the broker answers, and so what the server must write.
func flows(id, client string) (api.DeviceFlow, error) {
	f := api.DeviceFlow{DeviceFlowID: flowID, ProviderID: "qwen-oauth", Status: api.FlowError, CreatedAt: 1795288181241}
	switch strings.TrimPrefix(client, "cli-A.") {
	case "pending":
		f.Status, f.ExpiresAt, f.IntervalMs, f.LastPolledAt = api.FlowPending, 1795289081241, 5000, 1795288186241
		f.UserCode, f.VerificationURI, f.InitiatorClientID = "WXYZ-100011", "http://127.0.0.1:9999/authorize", client
		f.VerificationURIComplete = f.VerificationURI + "?user_code=WXYZ-100011"
	case "other":
		f.Status, f.ExpiresAt, f.IntervalMs = api.FlowPending, 1795289081241, 5000
	case "cancelled":
		f.Status, f.InitiatorClientID = api.FlowCancelled, client
	case "authorized":
		f.Status, f.LastPolledAt = api.FlowAuthorized, 1795288186241
	case "expired":
		f.Status, f.ErrorKind, f.Hint = api.FlowExpired, api.KindExpiredToken, "device-flow expired without authorization"
	case "idp-expired":
		f.ErrorKind, f.Hint, f.LastPolledAt = api.KindExpiredToken, "Qwen IdP returned expired_token", 1795288186241
	case "denied":
		f.ErrorKind, f.Hint, f.LastPolledAt = api.KindAccessDenied, "Qwen IdP returned access_denied", 1795288186241
	case "invalid":
		f.ErrorKind, f.Hint, f.LastPolledAt = api.KindInvalidGrant, "Qwen IdP returned invalid_grant", 1795288186241
	case "upstream":
		f.ErrorKind, f.Hint, f.LastPolledAt = api.KindUpstreamError, "unexpected response from identity provider", 1795288186241
	case "persist":
		f.ErrorKind, f.LastPolledAt = api.KindPersistFailed, 1795288186241
		f.Hint = "credentials could not be written to the daemon filesystem — check disk space and permissions"
	default:
		f.Status = api.FlowCancelled
	}
	return f, nil
}

func TestContract(t *testing.T) {
	const flow = "/workspace/auth/device-flow/" + flowID
	const (
		invalidRequest  = "{\"error\":\"`providerId` must be a non-empty string\",\"code\":\"invalid_request\"}"
		invalidClientID = "{\"error\":\"`X-Qwen-Client-Id` must be a non-empty token of 128 characters or fewer\",\"code\":\"invalid_client_id\"}"
		unsupported     = `{"error":"Unsupported device-flow provider: github","code":"unsupported_provider","supportedProviders":["qwen-oauth"]}`
		started         = `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"pending","expiresAt":1795289081241,"intervalMs":5000,"attached":false,"userCode":"WXYZ-100011","verificationUri":"http://127.0.0.1:9999/authorize","verificationUriComplete":"http://127.0.0.1:9999/authorize?user_code=WXYZ-100011","initiatorClientId":"cli-A"}`
		joined          = `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"pending","expiresAt":1795289081241,"intervalMs":5000,"attached":true}`
		anonymous       = `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"pending","expiresAt":1795289081241,"intervalMs":5000,"attached":true,"userCode":"WXYZ-100011","verificationUri":"http://127.0.0.1:9999/authorize","verificationUriComplete":"http://127.0.0.1:9999/authorize?user_code=WXYZ-100011"}`
		notFound        = `{"error":"Device-flow nope not found","code":"device_flow_not_found"}`
		malformed       = `{"error":"Malformed URL encoding","code":"invalid_request"}`
		status          = `{"v":1,"workspaceCwd":"/abs","providers":[],"pendingDeviceFlows":[{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","expiresAt":1795289081241}],"supportedDeviceFlowProviders":["qwen-oauth"]}`
		noRoute         = `{"error":"Not found","code":"not_found"}`
		noMethod        = `{"error":"Method not allowed","code":"method_not_allowed"}`
		invalidJSON     = `{"error":"Invalid JSON in request body"}`
		tooLarge        = `{"error":"Request body too large (max 10 MB)"}`
	)
	get := func(path string, headers ...string) *http.Request { return authorized("GET", path, "", headers...) }
	as := func(client string) *http.Request { return get(flow, "X-Qwen-Client-Id", client) }
	host := func(r *http.Request, host string) *http.Request { r.Host = host; return r }
	tests := []struct {
		row, name string
		r         *http.Request
		err       error // of the broker
		status    int
		body      string
	}{
		{"10", "GET /health, no auth", request("GET", "/health", ""), nil, 200, `{"status":"ok"}`},
		{"2.5", "health, deep", request("GET", "/health?deep=1", ""), nil, 200, `{"status":"ok"}`},
		{"10", "capabilities, no token", request("GET", "/capabilities", ""), nil, 401, unauthorized},

		{"2.4", "status", get("/workspace/auth/status"), nil, 200, status},
		{"10", "status, bearer in lower case and two spaces", request("GET", "/workspace/auth/status", "", "Authorization", "bearer  "+bearer), nil, 200, status},
		{"10", "status without a bearer", request("GET", "/workspace/auth/status", ""), nil, 401, unauthorized},
		{"10", "status with a bad bearer", request("GET", "/workspace/auth/status", "", "Authorization", "Bearer nope"), nil, 401, unauthorized},
		{"10", "status with Basic", request("GET", "/workspace/auth/status", "", "Authorization", "Basic "+bearer), nil, 401, unauthorized},
		{"1.10", "another case and a slash", get("/WORKSPACE/Auth/Status/"), nil, 200, status},
		{"1.10", "trailing slash", get("/workspace/auth/status/"), nil, 200, status},
		{"1.10", "another case with an id, which keeps its own", get("/Workspace/AUTH/device-flow/Nope"), nil, 404, `{"error":"Device-flow Nope not found","code":"device_flow_not_found"}`},

		{"2.1", "fresh", post(`{"providerId":"qwen-oauth","extra":1}`, "X-Qwen-Client-Id", "cli-A"), nil, 201, started},
		{"2.1", "take-over by another id", post(`{"providerId":"qwen-oauth"}`, "X-Qwen-Client-Id", "cli-B"), nil, 200, joined},
		{"2.1", "anonymous take-over of an anonymous flow", post(`{"providerId":"qwen-oauth"}`), nil, 200, anonymous},
		{"10", "POST without a bearer", request("POST", "/workspace/auth/device-flow", `{"providerId":"qwen-oauth"}`, "Content-Type", "application/json"), nil, 401, unauthorized},
		{"10", "POST {bad", post(`{bad`), nil, 400, invalidJSON},
		{"1.10", "two values", post(`{} {}`), nil, 400, invalidJSON},
		{"10", "empty body", post(``), nil, 400, invalidRequest},
		{"10", "array", post(`[1]`), nil, 400, invalidRequest},
		{"2.1", "number", post(`5`), nil, 400, invalidRequest},
		{"1.10", "null", post(`null`), nil, 400, invalidRequest},
		{"10", "provider is a number", post(`{"providerId":5}`), nil, 400, invalidRequest},
		{"2.1", "provider is empty", post(`{"providerId":""}`), nil, 400, invalidRequest},
		{"2.1", "provider in another case", post(`{"providerid":"qwen-oauth"}`), nil, 400, invalidRequest},
		{"1.10", "keys of prototypes are dropped", post(`{"__proto__":{"providerId":"x"},"constructor":{"prototype":{}},"prototype":1}`), nil, 400, invalidRequest},
		{"1.10", "keys of prototypes beside the right one", post(`{"__proto__":{"providerId":"x"},"providerId":"qwen-oauth","constructor":5}`, "X-Qwen-Client-Id", "cli-A"), nil, 201, started},
		{"1.10", "no content type", authorized("POST", "/workspace/auth/device-flow", `{"providerId":"qwen-oauth"}`), nil, 400, invalidRequest},
		{"10", "text/plain", authorized("POST", "/workspace/auth/device-flow", `{"providerId":"qwen-oauth"}`, "Content-Type", "text/plain"), nil, 400, invalidRequest},
		{"1.10", "a form", authorized("POST", "/workspace/auth/device-flow", `providerId=qwen-oauth`, "Content-Type", "application/x-www-form-urlencoded"), nil, 400, invalidRequest},
		{"10", "11 MB body", post(strings.Repeat(" ", 11<<20)), nil, 413, tooLarge},
		{"1.1", "401 beats 413", request("POST", "/workspace/auth/device-flow", strings.Repeat(" ", 11<<20), "Content-Type", "application/json"), nil, 401, unauthorized},
		{"1.1", "a bad Host beats 401", host(request("GET", "/workspace/auth/status", ""), "evil.example"), nil, 403, badHost},
		{"1.1", "a bad Origin beats 401", request("GET", "/workspace/auth/status", "", "Origin", "http://evil.example"), nil, 403, badOrigin},
		{"10", "Host: evil.example", host(get("/workspace/auth/status"), "evil.example"), nil, 403, badHost},
		{"10", "Origin: http://evil.example", get("/workspace/auth/status", "Origin", "http://evil.example"), nil, 403, badOrigin},
		{"10", "preflight of http://evil.example", request("OPTIONS", "/workspace/auth/device-flow", "", "Origin", "http://evil.example", "Access-Control-Request-Method", "POST"), nil, 403, badOrigin},
		{"10", "own Origin", get("/workspace/auth/status", "Origin", "http://127.0.0.1:4170"), nil, 200, status},
		{"1.4", "own Origin by another name and scheme", get("/workspace/auth/status", "Origin", "https://host.docker.internal:4170"), nil, 200, status},
		{"10", "provider github", post(`{"providerId":"github"}`), api.Errorf(api.CodeUnknownProvider, "no provider github"), 400, unsupported},
		{"2.1", "invalid key", post(`{"providerId":"github"}`), fmt.Errorf("starting: %w", api.Errorf(api.CodeInvalidKey, "bad")), 400, unsupported},
		{"2.1", "the provider is judged before the client id", post(`{"providerId":"github"}`, "X-Qwen-Client-Id", "bad id!"), nil, 400, unsupported},
		{"10", "bad client id", post(`{"providerId":"qwen-oauth"}`, "X-Qwen-Client-Id", "bad id!"), nil, 400, invalidClientID},
		{"1.8", "two client ids", post(`{"providerId":"qwen-oauth"}`, "X-Qwen-Client-Id", "a", "X-Qwen-Client-Id", "b"), nil, 400, invalidClientID},
		{"1.8", "long client id", post(`{"providerId":"qwen-oauth"}`, "X-Qwen-Client-Id", strings.Repeat("a", 129)), nil, 400, invalidClientID},
		{"2.1", "too many", post(`{"providerId":"qwen-oauth"}`), api.ErrTooManyLogins, 409, `{"error":"Too many active device-flow attempts. Cancel one of the existing flows or wait for them to expire.","code":"too_many_active_flows"}`},
		{"10", "IdP down", post(`{"providerId":"qwen-oauth"}`), api.Errorf(api.CodeProviderUnreachable, "dial tcp: secret detail"), 502, `{"error":"Qwen IdP device authorization request failed","code":"upstream_error"}`},
		{"ours", "other IdP down", post(`{"providerId":"op"}`), api.ErrProviderUnreachable, 502, `{"error":"Identity provider device authorization request failed","code":"upstream_error"}`},
		{"2.1", "IdP refuses", post(`{"providerId":"qwen-oauth"}`), api.Errorf(api.CodeProviderRefused, "x"), 502, `{"error":"Qwen IdP rejected the device authorization request","code":"upstream_error"}`},
		{"2.1", "IdP silent", post(`{"providerId":"qwen-oauth"}`), &api.Error{Code: api.CodeProviderUnreachable, Kind: api.KindTimeout}, 502, `{"error":"device-flow start timeout (upstream IdP unresponsive)","code":"upstream_error"}`},
		{"2.1", "IdP too slow", post(`{"providerId":"qwen-oauth"}`), api.Errorf(api.CodeTimeout, "x"), 502, `{"error":"device-flow start timeout (upstream IdP unresponsive)","code":"upstream_error"}`},

		{"2.2", "pending, initiator", as("cli-A.pending"), nil, 200, `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"pending","createdAt":1795288181241,"expiresAt":1795289081241,"intervalMs":5000,"lastPolledAt":1795288186241,"userCode":"WXYZ-100011","verificationUri":"http://127.0.0.1:9999/authorize","verificationUriComplete":"http://127.0.0.1:9999/authorize?user_code=WXYZ-100011","initiatorClientId":"cli-A.pending"}`},
		{"2.2", "pending, other id", as("cli-A.other"), nil, 200, `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"pending","createdAt":1795288181241,"expiresAt":1795289081241,"intervalMs":5000}`},
		{"2.2", "cancelled, initiator", as("cli-A.cancelled"), nil, 200, `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"cancelled","createdAt":1795288181241,"initiatorClientId":"cli-A.cancelled"}`},
		{"2.2", "cancelled", get(flow), nil, 200, `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"cancelled","createdAt":1795288181241}`},
		{"2.2", "authorized", as("cli-A.authorized"), nil, 200, `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"authorized","createdAt":1795288181241,"lastPolledAt":1795288186241}`},
		{"ours, of 2.2", "expired by our clock", as("cli-A.expired"), nil, 200, `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"expired","createdAt":1795288181241,"errorKind":"expired_token","hint":"device-flow expired without authorization"}`},
		{"2.2", "IdP said expired_token", as("cli-A.idp-expired"), nil, 200, `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"error","createdAt":1795288181241,"errorKind":"expired_token","hint":"Qwen IdP returned expired_token","lastPolledAt":1795288186241}`},
		{"2.2", "access_denied", as("cli-A.denied"), nil, 200, `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"error","createdAt":1795288181241,"errorKind":"access_denied","hint":"Qwen IdP returned access_denied","lastPolledAt":1795288186241}`},
		{"2.2", "invalid_grant", as("cli-A.invalid"), nil, 200, `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"error","createdAt":1795288181241,"errorKind":"invalid_grant","hint":"Qwen IdP returned invalid_grant","lastPolledAt":1795288186241}`},
		{"2.2", "any other IdP answer", as("cli-A.upstream"), nil, 200, `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"error","createdAt":1795288181241,"errorKind":"upstream_error","hint":"unexpected response from identity provider","lastPolledAt":1795288186241}`},
		{"ours, of 2.2", "disk write failed", as("cli-A.persist"), nil, 200, `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"error","createdAt":1795288181241,"errorKind":"persist_failed","hint":"credentials could not be written to the daemon filesystem — check disk space and permissions","lastPolledAt":1795288186241}`},
		{"10", "GET unknown id", get("/workspace/auth/device-flow/nope"), nil, 404, notFound},
		{"2.2", "bad client id", as("bad id!"), nil, 400, invalidClientID},
		{"2.2", "404 before the client id", get("/workspace/auth/device-flow/nope", "X-Qwen-Client-Id", "bad id!"), nil, 404, notFound},
		{"2.2", "unknown with odd letters", get("/workspace/auth/device-flow/%3Cb%3E%2F%22"), nil, 404, `{"error":"Device-flow <b>/\" not found","code":"device_flow_not_found"}`},

		{"2.3", "cancel", authorized("DELETE", flow, ""), nil, 204, ""},
		{"2.3", "the client id before the flow", authorized("DELETE", "/workspace/auth/device-flow/nope", "", "X-Qwen-Client-Id", "bad id!"), nil, 400, invalidClientID},
		{"10", "DELETE unknown id", authorized("DELETE", "/workspace/auth/device-flow/nope", ""), nil, 404, notFound},

		{"10", "bad percent-encoding", get("/workspace/auth/device-flow/%E0%A4"), nil, 400, malformed},
		{"ours", "store failure", get("/workspace/auth/status"), api.Errorf(api.CodeStoreFailure, "reading store"), 500, `{"error":"the daemon cannot use its data folder","code":"store_failure"}`},
		{"1.11", "any other failure, without its words", get("/workspace/auth/status"), errors.New("open /home/x: secret"), 500, `{"error":"internal error","code":"internal"}`},
		{"ours", "stopping", get("/workspace/auth/status"), api.Errorf(api.CodeDaemonStopping, "daemon is stopping"), 503, `{"error":"daemon is stopping","code":"daemon_stopping"}`},
		{"ours", "no route", get("/nope"), nil, 404, noRoute},
		{"ours", "no route, two slashes", get("/workspace/auth/status//"), nil, 404, noRoute},
		{"ours", "no route, dots", get("/x/../capabilities"), nil, 404, noRoute},
		{"ours", "no route, a letter that folds to ASCII", get("/wor\u212aspace/auth/status"), nil, 404, noRoute},
		{"2.8", "no workspace-qualified routes", get("/workspaces/1/auth/status"), nil, 404, noRoute},
		{"10", "no list of flows", get("/workspace/auth/device-flow"), nil, 405, noMethod},
		{"10", "PUT", authorized("PUT", "/workspace/auth/device-flow/nope", ""), nil, 405, noMethod},
	}
	for _, tt := range tests {
		t.Run(tt.row+" "+tt.name, func(t *testing.T) {
			fake := newFake()
			fake.flow = flows
			fake.start = func(_ context.Context, r api.StartLogin) (api.DeviceFlowStarted, bool, error) {
				f := api.DeviceFlowStarted{DeviceFlowID: flowID, ProviderID: r.Key, Status: api.FlowPending, ExpiresAt: 1795289081241, IntervalMs: 5000}
				f.Attached, f.InitiatorClientID = r.ClientID != "cli-A", r.ClientID
				if r.ClientID == "cli-B" {
					f.InitiatorClientID = ""
					return f, false, nil
				}
				f.UserCode, f.VerificationURI = "WXYZ-100011", "http://127.0.0.1:9999/authorize"
				f.VerificationURIComplete = f.VerificationURI + "?user_code=WXYZ-100011"
				return f, !f.Attached, nil
			}
			var broker server.Broker = fake
			if tt.err != nil {
				broker = &failingStart{fake, tt.err}
			}
			w := serve(handler(t, server.Config{Broker: broker, Workspace: "/abs", Version: "1.2.3"}), tt.r)
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got  %d %s\nwant %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			if got := w.Header().Get("Content-Type"); tt.body != "" && got != compatJSON {
				t.Errorf("Content-Type = %q, want %q", got, compatJSON)
			}
			if got := w.Header().Get("Content-Length"); tt.body != "" && got != fmt.Sprint(len(tt.body)) {
				t.Errorf("Content-Length = %q, want %d", got, len(tt.body))
			}
			if got := w.Header().Get("Retry-After"); (got != "") != (tt.status == 503) {
				t.Errorf("Retry-After = %q", got)
			}
		})
	}
}

// filledBroker answers with credentials of every state.
type filledBroker struct{ *fakeBroker }

func (filledBroker) AuthStatus(context.Context) (api.AuthStatus, error) {
	return api.AuthStatus{Providers: []api.AuthProvider{
		{Kind: "auth_provider", Status: api.AuthOK, ProviderID: "github", ExpiresAt: 1795289081241, AccountAlias: "acct-k3x9qz"},
		{Kind: "auth_provider", Status: api.AuthOK, ProviderID: "github/bot"},
		{Kind: "auth_provider", Status: api.AuthWarning, ProviderID: "op", ExpiresAt: 1795289081241, Hint: "ends soon"},
		{Kind: "auth_provider", Status: api.AuthError, ProviderID: "qwen-oauth", Error: "login needed: refresh_refused", Hint: "start a new login for qwen-oauth"},
	}}, nil
}

// Row 2.4, the type of its providers, which the contract leaves empty.
func TestContractProviders(t *testing.T) {
	const want = `{"v":1,"workspaceCwd":"/abs","providers":[` +
		`{"kind":"auth_provider","status":"ok","providerId":"github","expiresAt":1795289081241,"accountAlias":"acct-k3x9qz"},` +
		`{"kind":"auth_provider","status":"ok","providerId":"github/bot"},` +
		`{"kind":"auth_provider","status":"warning","providerId":"op","expiresAt":1795289081241,"hint":"ends soon"},` +
		`{"kind":"auth_provider","status":"error","providerId":"qwen-oauth","error":"login needed: refresh_refused","hint":"start a new login for qwen-oauth"}` +
		`],"pendingDeviceFlows":[],"supportedDeviceFlowProviders":[]}`
	w := serve(handler(t, server.Config{Broker: filledBroker{newFake()}, Workspace: "/abs"}), authorized("GET", "/workspace/auth/status", ""))
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("got  %d %s\nwant 200 %s", w.Code, w.Body, want)
	}
}

// Rows 2.6 and 1.7: of the tags, only what is served is advertised, and
// require_auth only with the setting.
func TestContractCapabilities(t *testing.T) {
	for _, requireAuth := range []bool{false, true} {
		w := serve(handler(t, server.Config{Workspace: "/abs", Version: "1.2.3", RequireAuth: requireAuth}), authorized("GET", "/capabilities", ""))
		tags := strings.Join(server.Features, `","`)
		if requireAuth {
			tags += `","require_auth`
		}
		want := `{"v":1,"protocolVersions":{"current":"v1","supported":["v1"]},"usherVersion":"1.2.3","mode":"http-bridge","features":["` + tags + `"],"modelServices":[],"workspaceCwd":"/abs","transports":["rest"]}`
		if w.Code != 200 || w.Body.String() != want {
			t.Errorf("got  %d %s\nwant 200 %s", w.Code, w.Body, want)
		}
		health := serve(handler(t, server.Config{RequireAuth: requireAuth}), request("GET", "/health", ""))
		if wantBody := map[bool]string{false: `{"status":"ok"}`, true: unauthorized}[requireAuth]; health.Body.String() != wantBody {
			t.Errorf("health with RequireAuth %v: %d %s", requireAuth, health.Code, health.Body)
		}
	}
	for _, tag := range []string{"health", "capabilities", "auth_device_flow", "client_identity"} {
		if !slices.Contains(server.Features, tag) {
			t.Errorf("%s is not advertised", tag)
		}
	}
}

// Row 1.6, with its length.
func TestContractTokenRequired(t *testing.T) {
	h := handler(t, server.Config{NoAuth: true, StrictLoopback: true})
	w := serve(h, request("POST", "/workspace/auth/device-flow", `{"providerId":"qwen-oauth"}`, "Content-Type", "application/json"))
	if w.Code != 401 || w.Body.String() != tokenRequired || w.Header().Get("Content-Length") != "165" {
		t.Errorf("got %d %s (length %s)", w.Code, w.Body, w.Header().Get("Content-Length"))
	}
}

// failingStart fails what starts or reports, and still knows its providers.
type failingStart struct {
	*fakeBroker
	err error
}

func (f *failingStart) StartDeviceFlow(context.Context, api.StartLogin) (api.DeviceFlowStarted, bool, error) {
	return api.DeviceFlowStarted{}, false, f.err
}

func (f *failingStart) AuthStatus(ctx context.Context) (api.AuthStatus, error) {
	status, err := f.fakeBroker.AuthStatus(ctx)
	var e *api.Error
	if errors.As(f.err, &e) && (e.Code == api.CodeUnknownProvider || e.Code == api.CodeInvalidKey) {
		return status, err
	}
	return status, f.err
}

func TestMethodNotAllowedNamesTheMethods(t *testing.T) {
	h := handler(t, server.Config{})
	for path, want := range map[string]string{
		"/workspace/auth/device-flow":      "POST",
		"/workspace/auth/device-flow/nope": "GET, DELETE",
		"/v1/logins":                       "POST, GET",
	} {
		w := serve(h, authorized("PUT", path, ""))
		if w.Code != 405 || w.Header().Get("Allow") != want {
			t.Errorf("%s: %d, Allow %q, want %q", path, w.Code, w.Header().Get("Allow"), want)
		}
	}
}

func TestCompatPassesTheClientIDOn(t *testing.T) {
	fake := newFake()
	h := handler(t, server.Config{Broker: fake})
	const flow = "/workspace/auth/device-flow/" + flowID
	serve(h, post(`{"providerId":"qwen-oauth"}`, "X-Qwen-Client-Id", "a.b_c:d-1"))
	serve(h, post(`{"providerId":"qwen-oauth"}`, "X-Qwen-Client-Id", ""))
	serve(h, authorized("GET", flow, "", "X-Qwen-Client-Id", "a"))
	serve(h, authorized("DELETE", flow, ""))
	want := fmt.Sprint([]string{"StartDeviceFlow qwen-oauth a.b_c:d-1", "StartDeviceFlow qwen-oauth", "DeviceFlow " + flowID + " a", "CancelDeviceFlow " + flowID})
	if got := fmt.Sprint(fake.calls()); got != want {
		t.Errorf("calls = %s, want %s", got, want)
	}
}
