package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/server"
)

// The bodies in this file are the contract's, typed by hand.

const compatJSON = "application/json; charset=utf-8"

func authorized(method, target, body string, headers ...string) *http.Request {
	return request(method, target, body, append([]string{"Authorization", "Bearer " + bearer}, headers...)...)
}

// post is POST device-flow with a JSON body.
func post(body string, headers ...string) *http.Request {
	return authorized("POST", "/workspace/auth/device-flow", body, append([]string{"Content-Type", "application/json"}, headers...)...)
}

func TestCompatAnswers(t *testing.T) {
	const flow = "/workspace/auth/device-flow/" + flowID
	const (
		invalidRequest  = "{\"error\":\"`providerId` must be a non-empty string\",\"code\":\"invalid_request\"}"
		invalidClientID = "{\"error\":\"`X-Qwen-Client-Id` must be a non-empty token of 128 characters or fewer\",\"code\":\"invalid_client_id\"}"
		unsupported     = `{"error":"Unsupported device-flow provider: github","code":"unsupported_provider","supportedProviders":["qwen-oauth"]}`
		started         = `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"pending","expiresAt":1795289081241,"intervalMs":5000,"attached":false,"userCode":"WXYZ-100011","verificationUri":"http://127.0.0.1:9999/authorize","verificationUriComplete":"http://127.0.0.1:9999/authorize?user_code=WXYZ-100011&x=1","initiatorClientId":"cli-A"}`
		joined          = `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"pending","expiresAt":1795289081241,"intervalMs":5000,"attached":true}`
		notFound        = `{"error":"Device-flow nope not found","code":"device_flow_not_found"}`
		malformed       = `{"error":"Malformed URL encoding","code":"invalid_request"}`
	)
	tests := map[string]struct {
		r      *http.Request
		err    error // of the broker
		status int
		body   string
	}{
		"health":                   {request("GET", "/health", ""), nil, 200, `{"status":"ok"}`},
		"health, deep":             {request("GET", "/health?deep=1", ""), nil, 200, `{"status":"ok"}`},
		"capabilities":             {authorized("GET", "/capabilities", ""), nil, 200, `{"v":1,"protocolVersions":{"current":"v1","supported":["v1"]},"usherVersion":"1.2.3","mode":"http-bridge","features":["health","capabilities","auth_device_flow","client_identity"],"modelServices":[],"workspaceCwd":"/abs","transports":["rest"]}`},
		"status":                   {authorized("GET", "/workspace/auth/status", ""), nil, 200, `{"v":1,"workspaceCwd":"/abs","providers":[],"pendingDeviceFlows":[{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","expiresAt":1795289081241}],"supportedDeviceFlowProviders":["qwen-oauth"]}`},
		"trailing slash":           {authorized("GET", "/workspace/auth/status/", ""), nil, 200, `{"v":1,"workspaceCwd":"/abs","providers":[],"pendingDeviceFlows":[{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","expiresAt":1795289081241}],"supportedDeviceFlowProviders":["qwen-oauth"]}`},
		"fresh":                    {post(`{"providerId":"qwen-oauth","extra":1}`, "X-Qwen-Client-Id", "cli-A"), nil, 201, started},
		"take-over":                {post(`{"providerId":"qwen-oauth"}`, "X-Qwen-Client-Id", "cli-B"), nil, 200, joined},
		"cancelled flow":           {authorized("GET", flow, ""), nil, 200, `{"deviceFlowId":"36915e1f-0000-4000-8000-000000000000","providerId":"qwen-oauth","status":"cancelled","createdAt":1795288181241}`},
		"cancel":                   {authorized("DELETE", flow, ""), nil, 204, ""},
		"empty body":               {post(``), nil, 400, invalidRequest},
		"array":                    {post(`[1]`), nil, 400, invalidRequest},
		"number":                   {post(`5`), nil, 400, invalidRequest},
		"null":                     {post(`null`), nil, 400, invalidRequest},
		"provider is a number":     {post(`{"providerId":5}`), nil, 400, invalidRequest},
		"provider is empty":        {post(`{"providerId":""}`), nil, 400, invalidRequest},
		"provider in another case": {post(`{"providerid":"qwen-oauth"}`), nil, 400, invalidRequest},
		"no content type":          {authorized("POST", "/workspace/auth/device-flow", `{"providerId":"qwen-oauth"}`), nil, 400, invalidRequest},
		"text":                     {authorized("POST", "/workspace/auth/device-flow", `{"providerId":"qwen-oauth"}`, "Content-Type", "text/plain"), nil, 400, invalidRequest},
		"malformed JSON":           {post(`{bad`), nil, 400, `{"error":"Invalid JSON in request body"}`},
		"two values":               {post(`{} {}`), nil, 400, `{"error":"Invalid JSON in request body"}`},
		"body above 10 MB":         {post(strings.Repeat(" ", 11<<20)), nil, 413, `{"error":"Request body too large (max 10 MB)"}`},
		"unsupported":              {post(`{"providerId":"github"}`), api.Errorf(api.CodeUnknownProvider, "no provider github"), 400, unsupported},
		"invalid key":              {post(`{"providerId":"github"}`), fmt.Errorf("starting: %w", api.Errorf(api.CodeInvalidKey, "bad")), 400, unsupported},
		"unsupported and bad id":   {post(`{"providerId":"github"}`, "X-Qwen-Client-Id", "bad id!"), nil, 400, unsupported},
		"bad client id":            {post(`{"providerId":"qwen-oauth"}`, "X-Qwen-Client-Id", "bad id!"), nil, 400, invalidClientID},
		"long client id":           {post(`{"providerId":"qwen-oauth"}`, "X-Qwen-Client-Id", strings.Repeat("a", 129)), nil, 400, invalidClientID},
		"bad client id on cancel":  {authorized("DELETE", "/workspace/auth/device-flow/nope", "", "X-Qwen-Client-Id", "bad id!"), nil, 400, invalidClientID},
		"bad client id on get":     {authorized("GET", flow, "", "X-Qwen-Client-Id", "bad id!"), nil, 400, invalidClientID},
		"both bad on get":          {authorized("GET", "/workspace/auth/device-flow/nope", "", "X-Qwen-Client-Id", "bad id!"), nil, 404, notFound},
		"get unknown":              {authorized("GET", "/workspace/auth/device-flow/nope", ""), nil, 404, notFound},
		"cancel unknown":           {authorized("DELETE", "/workspace/auth/device-flow/nope", ""), nil, 404, notFound},
		"unknown with odd letters": {authorized("GET", "/workspace/auth/device-flow/%3Cb%3E%2F%22", ""), nil, 404, `{"error":"Device-flow <b>/\" not found","code":"device_flow_not_found"}`},
		"too many":                 {post(`{"providerId":"qwen-oauth"}`), api.ErrTooManyLogins, 409, `{"error":"Too many active device-flow attempts. Cancel one of the existing flows or wait for them to expire.","code":"too_many_active_flows"}`},
		"IdP down":                 {post(`{"providerId":"qwen-oauth"}`), api.Errorf(api.CodeProviderUnreachable, "dial tcp: secret detail"), 502, `{"error":"Qwen IdP device authorization request failed","code":"upstream_error"}`},
		"other IdP down":           {post(`{"providerId":"op"}`), api.ErrProviderUnreachable, 502, `{"error":"Identity provider device authorization request failed","code":"upstream_error"}`},
		"IdP refuses":              {post(`{"providerId":"qwen-oauth"}`), api.Errorf(api.CodeProviderRefused, "x"), 502, `{"error":"Qwen IdP rejected the device authorization request","code":"upstream_error"}`},
		"IdP too slow":             {post(`{"providerId":"qwen-oauth"}`), api.Errorf(api.CodeTimeout, "x"), 502, `{"error":"device-flow start timeout (upstream IdP unresponsive)","code":"upstream_error"}`},
		"store failure":            {authorized("GET", "/workspace/auth/status", ""), api.Errorf(api.CodeStoreFailure, "reading store"), 500, `{"error":"the daemon cannot use its data folder","code":"store_failure"}`},
		"foreign error":            {authorized("GET", "/workspace/auth/status", ""), errors.New("open /home/x: secret"), 500, `{"error":"internal error","code":"internal"}`},
		"stopping":                 {authorized("GET", "/workspace/auth/status", ""), api.Errorf(api.CodeDaemonStopping, "daemon is stopping"), 503, `{"error":"daemon is stopping","code":"daemon_stopping"}`},
		"malformed UTF-8 in path":  {authorized("GET", "/workspace/auth/device-flow/%E0%A4", ""), nil, 400, malformed},
		"no route":                 {authorized("GET", "/nope", ""), nil, 404, `{"error":"Not found","code":"not_found"}`},
		"no route, two slashes":    {authorized("GET", "/workspace/auth/status//", ""), nil, 404, `{"error":"Not found","code":"not_found"}`},
		"no route, dots":           {authorized("GET", "/x/../capabilities", ""), nil, 404, `{"error":"Not found","code":"not_found"}`},
		"no session yet":           {authorized("POST", "/session", "{}"), nil, 404, `{"error":"Not found","code":"not_found"}`},
		"no list of flows":         {authorized("GET", "/workspace/auth/device-flow", ""), nil, 405, `{"error":"Method not allowed","code":"method_not_allowed"}`},
		"wrong method":             {authorized("PUT", "/workspace/auth/device-flow/nope", ""), nil, 405, `{"error":"Method not allowed","code":"method_not_allowed"}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fake := newFake()
			fake.start = func(_ context.Context, provider, client string) (api.DeviceFlowStarted, bool, error) {
				f := api.DeviceFlowStarted{DeviceFlowID: flowID, ProviderID: provider, Status: api.FlowPending, ExpiresAt: 1795289081241, IntervalMs: 5000, Attached: true}
				if client != "cli-A" {
					return f, false, nil
				}
				f.Attached, f.InitiatorClientID, f.UserCode, f.VerificationURI = false, client, "WXYZ-100011", "http://127.0.0.1:9999/authorize"
				f.VerificationURIComplete = f.VerificationURI + "?user_code=WXYZ-100011&x=1"
				return f, true, nil
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

// failingStart fails what starts or reports, and still knows its providers.
type failingStart struct {
	*fakeBroker
	err error
}

func (f *failingStart) StartDeviceFlow(context.Context, string, string) (api.DeviceFlowStarted, bool, error) {
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
	want := fmt.Sprint([]string{"StartDeviceFlow qwen-oauth a.b_c:d-1", "StartDeviceFlow qwen-oauth ", "DeviceFlow " + flowID + " a", "CancelDeviceFlow " + flowID + " "})
	if got := fmt.Sprint(fake.calls()); got != want {
		t.Errorf("calls = %s, want %s", got, want)
	}
}
