package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/server"
)

const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"

// Who asks, and in which trace, reaches the broker on both surfaces.
func TestStartsTellWhoAsks(t *testing.T) {
	const parent = "00-" + traceID + "-00f067aa0ba902b7-01"
	tests := map[string]struct {
		headers []string
		compat  string
		native  string
	}{
		"nobody":            {nil, "StartDeviceFlow op", "StartLogin op /v1:"},
		"empty":             {[]string{"X-Qwen-Client-Id", ""}, "StartDeviceFlow op", "StartLogin op /v1:"},
		"client":            {[]string{"X-Qwen-Client-Id", "a.b_c:d-1"}, "StartDeviceFlow op a.b_c:d-1", "StartLogin op /v1:a.b_c:d-1"},
		"trace":             {[]string{"Traceparent", parent}, "StartDeviceFlow op  " + traceID, "StartLogin op /v1: " + traceID},
		"both":              {[]string{"X-Qwen-Client-Id", "a", "traceparent", parent}, "StartDeviceFlow op a " + traceID, "StartLogin op /v1:a " + traceID},
		"malformed trace":   {[]string{"Traceparent", parent[1:]}, "StartDeviceFlow op", "StartLogin op /v1:"},
		"two traces":        {[]string{"Traceparent", parent, "Traceparent", parent}, "StartDeviceFlow op", "StartLogin op /v1:"},
		"a later version":   {[]string{"Traceparent", "cc" + parent[2:] + "-what-the-future-will-be"}, "StartDeviceFlow op  " + traceID, "StartLogin op /v1: " + traceID},
		"more in version 0": {[]string{"Traceparent", parent + "-x"}, "StartDeviceFlow op", "StartLogin op /v1:"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fake := newFake()
			h := handler(t, server.Config{Broker: fake})
			serve(h, post(`{"providerId":"op"}`, tt.headers...))
			r := send("POST", "/v1/logins", `{"key":"op","ClientID":"x","Trace":"x","Owner":true}`)
			for i := 0; i < len(tt.headers); i += 2 {
				r.Header.Add(tt.headers[i], tt.headers[i+1])
			}
			serve(h, r)
			if diff := cmp.Diff([]string{tt.compat, tt.native}, fake.calls()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMalformedTraceparentsAreIgnored(t *testing.T) {
	const zeros = "00000000000000000000000000000000"
	for _, bad := range []string{
		"", "00", "00-" + traceID, "00-" + traceID + "-00f067aa0ba902b7", "00-" + traceID + "-00f067aa0ba902b7-0",
		"ff-" + traceID + "-00f067aa0ba902b7-01", "0x-" + traceID + "-00f067aa0ba902b7-01",
		"00-" + strings.ToUpper(traceID) + "-00f067aa0ba902b7-01", "00-" + zeros + "-00f067aa0ba902b7-01",
		"00-" + traceID + "-0000000000000000-01", "00-" + traceID + "-00f067aa0ba902bg-01", "00-" + traceID + "-00f067aa0ba902b7-0g",
		"00_" + traceID + "_00f067aa0ba902b7_01", "00-" + traceID[1:] + "g-00f067aa0ba902b7-01",
		"00-" + traceID + "-00f067aa0ba902b7-01 ", "01-" + traceID + "-00f067aa0ba902b7-01x",
		"00-\x1b]0;" + traceID[4:] + "-00f067aa0ba902b7-01", strings.Repeat("0", 4096),
	} {
		fake := newFake()
		serve(handler(t, server.Config{Broker: fake}), post(`{"providerId":"op"}`, "Traceparent", bad))
		if diff := cmp.Diff([]string{"StartDeviceFlow op"}, fake.calls()); diff != "" {
			t.Errorf("%q: calls (-want +got):\n%s", bad, diff)
		}
	}
}

func FuzzTraceparent(f *testing.F) {
	f.Add("00-" + traceID + "-00f067aa0ba902b7-01")
	f.Add("cc-" + traceID + "-00f067aa0ba902b7-01-x")
	f.Fuzz(func(t *testing.T, header string) {
		fake := newFake()
		var got string
		fake.start = func(_ context.Context, r api.StartLogin) (api.DeviceFlowStarted, bool, error) {
			got = r.Trace
			return api.DeviceFlowStarted{}, false, nil
		}
		serve(handler(t, server.Config{Broker: fake}), post(`{"providerId":"op"}`, "Traceparent", header))
		if got != "" && (len(got) != 32 || strings.Trim(got, "0123456789abcdef") != "" || !strings.Contains(header, got)) {
			t.Errorf("%q gave the trace %q", header, got)
		}
	})
}

// Who sees the code of a login on /v1, and who may cancel it. The login of the
// fake was started by somebody without a client id, over TCP.
func TestWhoseLoginItIs(t *testing.T) {
	const (
		secretCode = "ABCD-1234"
		notMine    = `{"type":"about:blank","title":"Forbidden","status":403,"detail":"the login was started by another client","code":"not_initiator","hint":"send the client id that started it, or ?force=true to cancel it anyway"}`
	)
	needed := `{"type":"about:blank","title":"Unauthorized","status":401,"detail":"the daemon runs without a token, and does not do this without one","code":"token_required","hint":"start it without --no-auth"}`
	type answer struct {
		status int
		body   string // empty: that of the login, cancelled or not
		code   bool   // whether it shows the code
		calls  string
	}
	tests := map[string]struct {
		noAuth, owner bool
		client        string
		target        string
		want          answer
	}{
		"initiator":                {false, false, "", "GET /v1/logins/l-1", answer{200, "", true, "GetLogin l-1"}},
		"initiator, reveal":        {false, false, "", "GET /v1/logins/l-1?reveal=code", answer{200, "", true, "GetLogin l-1"}},
		"other":                    {false, false, "b", "GET /v1/logins/l-1", answer{200, "", false, "GetLogin l-1"}},
		"other, reveal":            {false, false, "b", "GET /v1/logins/l-1?reveal=code", answer{200, "", true, "GetLogin l-1, RecordReveal l-1 /v1:b"}},
		"other, something else":    {false, false, "b", "GET /v1/logins/l-1?reveal=all", answer{400, problem(400, "Bad Request", "reveal must be code", "invalid_request"), false, ""}},
		"other, unknown":           {false, false, "b", "GET /v1/logins/x?reveal=code", answer{404, problem(404, "Not Found", "login x not found", "login_not_found"), false, ""}},
		"owner":                    {false, true, "", "GET /v1/logins/l-1", answer{200, "", true, "GetLogin l-1"}},
		"owner, reveal":            {false, true, "", "GET /v1/logins/l-1?reveal=code", answer{200, "", true, "GetLogin l-1, RecordReveal l-1 /v1"}},
		"owner with a client id":   {false, true, "b", "GET /v1/logins/l-1?reveal=code", answer{200, "", true, "GetLogin l-1, RecordReveal l-1 /v1/b"}},
		"no-auth, initiator":       {true, false, "", "GET /v1/logins/l-1", answer{200, "", false, "GetLogin l-1"}},
		"no-auth, reveal":          {true, false, "", "GET /v1/logins/l-1?reveal=code", answer{401, needed, false, ""}},
		"no-auth, owner":           {true, true, "", "GET /v1/logins/l-1", answer{200, "", true, "GetLogin l-1"}},
		"no-auth, owner, reveal":   {true, true, "", "GET /v1/logins/l-1?reveal=code", answer{200, "", true, "GetLogin l-1, RecordReveal l-1 /v1"}},
		"join by the initiator":    {false, false, "", "POST /v1/logins", answer{200, "", true, "StartLogin joined /v1:"}},
		"join by another":          {false, false, "b", "POST /v1/logins", answer{200, "", false, "StartLogin joined /v1:b"}},
		"join by the owner":        {false, true, "", "POST /v1/logins", answer{200, "", true, "StartLogin joined /v1"}},
		"join, no-auth":            {true, false, "", "POST /v1/logins", answer{200, "", false, "StartLogin joined /v1:"}},
		"cancel by the initiator":  {false, false, "", "DELETE /v1/logins/l-1", answer{200, "", false, "GetLogin l-1, CancelLogin l-1 /v1:"}},
		"cancel by another":        {false, false, "b", "DELETE /v1/logins/l-1", answer{403, notMine, false, "GetLogin l-1"}},
		"cancel by another, force": {false, false, "b", "DELETE /v1/logins/l-1?force=true", answer{200, "", false, "CancelLogin l-1 /v1:b"}},
		"cancel, force is false":   {false, false, "b", "DELETE /v1/logins/l-1?force=false", answer{403, notMine, false, "GetLogin l-1"}},
		"cancel, force is no bool": {false, false, "b", "DELETE /v1/logins/l-1?force=yes!", answer{400, problem(400, "Bad Request", "force must be true or false", "invalid_request"), false, ""}},
		"cancel by the owner":      {false, true, "b", "DELETE /v1/logins/l-1", answer{200, "", false, "CancelLogin l-1 /v1/b"}},
		"cancel of an unknown one": {false, false, "b", "DELETE /v1/logins/x", answer{404, problem(404, "Not Found", "login x not found", "login_not_found"), false, ""}},
		"bad client id":            {false, false, "bad id!", "GET /v1/logins/l-1", answer{400, problem(400, "Bad Request", "`X-Qwen-Client-Id` must be a non-empty token of 128 characters or fewer", "invalid_request"), false, ""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fake := newFake()
			s := newServer(t, server.Config{Broker: fake, NoAuth: tt.noAuth})
			method, path, _ := strings.Cut(tt.target, " ")
			r := send(method, path, `{"key":"joined"}`)
			r.Header.Set("X-Qwen-Client-Id", tt.client)
			h := s.Handler(tcpAddr, false)
			if tt.owner {
				h, r.Host = s.Handler(unixAddr, true), "usher"
				r.Header.Del("Authorization")
			}
			w := serve(h, r)
			if w.Code != tt.want.status || tt.want.body != "" && w.Body.String() != tt.want.body {
				t.Errorf("got  %d %s\nwant %d %s", w.Code, w.Body, tt.want.status, tt.want.body)
			}
			if got := strings.Contains(w.Body.String(), secretCode); got != tt.want.code {
				t.Errorf("shows the code: %v, want %v: %s", got, tt.want.code, w.Body)
			}
			if got := strings.Join(fake.calls(), ", "); got != tt.want.calls {
				t.Errorf("calls = %q, want %q", got, tt.want.calls)
			}
		})
	}
}

// There is nothing to reveal of a login that has ended, and nothing to record.
func TestEndedLoginHasNothingToReveal(t *testing.T) {
	fake := newFake()
	fake.wait = func(context.Context, string) (api.Login, error) {
		l := pendingLogin().Public()
		l.Status = api.LoginExpired
		return l, nil
	}
	r := send("GET", "/v1/logins/l-1?reveal=code&wait=1s", "")
	r.Header.Set("X-Qwen-Client-Id", "b")
	if w := serve(handler(t, server.Config{Broker: fake}), r); w.Code != http.StatusOK {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if diff := cmp.Diff([]string{"WaitLogin l-1"}, fake.calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestCallerNames(t *testing.T) {
	names := map[string]api.Caller{}
	for _, c := range []api.Caller{{}, {Owner: true}, {ClientID: "a"}, {ClientID: "a", Owner: true}, {ClientID: ":a"}, {ClientID: ":a", Owner: true}} {
		name := c.Name()
		if other, taken := names[name]; taken {
			t.Errorf("%+v and %+v are both %q", c, other, name)
		}
		names[name] = c
		if got := api.CallerClientID(name); got != c.ClientID {
			t.Errorf("client id of %q = %q, want %q", name, got, c.ClientID)
		}
		if !strings.Contains(name, "/") {
			t.Errorf("%q could be a client id", name)
		}
	}
	if got := api.CallerClientID("cli-A"); got != "cli-A" {
		t.Errorf("client id of a compatible initiator = %q", got)
	}
}
