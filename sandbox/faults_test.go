package sandbox_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/sandbox"
)

// plan installs a fault plan given as JSON.
func (g *rig) plan(rules string) {
	g.t.Helper()
	plan, err := sandbox.ParseFaults([]byte(rules))
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.SetFaults(plan); err != nil {
		g.t.Fatal(err)
	}
}

func TestFaultAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, do    string
		status      int
		contentType string
		body        string // "" means honest
		header      map[string]string
	}{
		{"raw", `{"status": 503, "body": "<html>", "content_type": "text/html", "retry_after": 7}`, 503, "text/html", "<html>", map[string]string{"Retry-After": "7"}},
		{"body alone", `{"body": "null"}`, 200, "application/json", "null", nil},
		{"bytes", `{"body_base64": "/v8="}`, 200, "application/json", "\xfe\xff", nil},
		{"status alone", `{"status": 204}`, 204, "application/json", "-", nil},
		{"oauth error", `{"oauth_error": "temporarily_unavailable"}`, 503, "application/json", `{"error":"temporarily_unavailable","error_description":"as the fault plan asks"}`, nil},
		{"oauth error with status", `{"oauth_error": "access_denied", "status": 200}`, 200, "application/json", `{"error":"access_denied","error_description":"as the fault plan asks"}`, nil},
		{"redirect", `{"redirect": {"status": 307, "location": "http://127.0.0.1:1/"}}`, 307, "", "-", map[string]string{"Location": "http://127.0.0.1:1/"}},
		{"redirect by default", `{"redirect": {"location": "/x"}}`, 302, "", "-", map[string]string{"Location": "/x"}},
		{"repeat", `{"body": "[", "repeat": {"text": "ab", "times": 3}}`, 200, "application/json", "[ababab", nil},
		{"content type", `{"content_type": "text/plain"}`, 200, "text/plain", "", nil},
		{"headers", `{"headers": {"x-one": "1", "X-Two": ["a", "b"]}}`, 200, "application/json", "", map[string]string{"X-One": "1", "X-Two": "a"}},
		{"truncated", `{"truncate_at": 5}`, 200, "application/json", `{"iss`, nil},
		{"truncated to nothing", `{"truncate_at": 0}`, 200, "application/json", "-", nil},
		{"truncated beyond the end", `{"truncate_at": 100000}`, 200, "application/json", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig(t, sandbox.Config{})
			honest := g.get(g.URL("/.well-known/oauth-authorization-server")).Body
			g.plan(`[{"endpoint": "discovery", "calls": [1], "do": ` + tt.do + `}]`)
			a := g.get(g.URL("/.well-known/openid-configuration"))
			want := map[string]string{"": honest, "-": ""}[tt.body]
			if tt.body != "" && tt.body != "-" {
				want = tt.body
			}
			if a.Status != tt.status || a.Body != want || a.Header.Get("Content-Type") != tt.contentType {
				t.Errorf("answer = %d %q %q, want %d %q %q", a.Status, a.Header.Get("Content-Type"), a.Body, tt.status, tt.contentType, want)
			}
			for name, value := range tt.header {
				if got := a.Header.Get(name); got != value {
					t.Errorf("%s = %q, want %q", name, got, value)
				}
			}
			if a := g.get(g.URL("/.well-known/openid-configuration")); a.Body != honest {
				t.Errorf("second call: %d %q", a.Status, a.Body)
			}
			r := g.Record().Requests
			if got := []bool{r[0].Fault, r[1].Fault, r[2].Fault}; !cmp.Equal(got, []bool{false, true, false}) || r[1].Status != tt.status {
				t.Errorf("recorded faults = %v, status %d", got, r[1].Status)
			}
		})
	}
}

func TestFaultEditsMembers(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	tokens := g.login()
	g.plan(`[{"endpoint": "token.refresh", "do": {"set": {"expires_in": "3600s", "token_type": null, "new": [1]}, "remove": ["scope", "id_token"]}}]`)
	got := g.renew(tokens["refresh_token"]).json(t)
	if a := g.resource(got["access_token"]); a.Status != 200 {
		t.Errorf("the token beside the lies is not real: %d", a.Status)
	}
	delete(got, "access_token")
	delete(got, "refresh_token")
	if diff := cmp.Diff(map[string]any{"expires_in": "3600s", "token_type": nil, "new": []any{1.0}}, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	g.plan(`[{"endpoint": "jwks", "do": {"body": "[1]", "set": {"a": 1}}}]`)
	if got := g.get(g.URL("/jwks")).Body; got != "[1]" {
		t.Errorf("no object to edit: %s", got)
	}
}

func TestFaultRulesFire(t *testing.T) {
	for _, tt := range []struct{ rule, want string }{
		{`"calls": [2, 4]`, ".x.x....."},
		{`"from": 3`, "..xxxxxxx"},
		{`"to": 2`, "xx......."},
		{`"from": 2, "to": 8, "every": 3`, ".x..x..x."},
		{`"every": 2`, "x.x.x.x.x"},
	} {
		g := newRig(t, sandbox.Config{})
		g.plan(`[{"endpoint": "jwks", ` + tt.rule + `, "do": {"status": 500}}]`)
		var got strings.Builder
		for range tt.want {
			if g.get(g.URL("/jwks")).Status == 500 {
				got.WriteByte('x')
			} else {
				got.WriteByte('.')
			}
		}
		if got.String() != tt.want {
			t.Errorf("%s fired at %s, want %s", tt.rule, got.String(), tt.want)
		}
	}
}

func TestFaultRulesCover(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	g.plan(`[{"endpoint": "token.refresh", "do": {"status": 501}},
		{"endpoint": "token", "calls": [2], "do": {"status": 502}},
		{"endpoint": "*", "from": 4, "do": {"status": 503}}]`)
	refresh := func(grant string) int { return g.post(g.TokenURL(), form("grant_type", grant)).Status }
	got := []int{refresh("refresh_token"), refresh("x"), refresh(deviceURN), refresh("x"), refresh("refresh_token"),
		g.get(g.URL("/jwks")).Status, g.get(g.URL("/device")).Status, g.get(g.URL("/_sandbox/record")).Status}
	if diff := cmp.Diff([]int{501, 502, 400, 503, 501, 503, 200, 200}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestFaultSlowDownAndDeny(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, sandbox.Config{})
		g.plan(`[{"endpoint": "token.device", "calls": [2], "do": {"slow_down": true, "retry_after": 9}},
			{"endpoint": "token.device", "calls": [5], "do": {"deny": true}}]`)
		device := g.start()
		wantError(t, g.poll(device), 400, "authorization_pending")
		time.Sleep(5 * time.Second)
		a := g.poll(device)
		wantError(t, a, 400, "slow_down")
		if got := a.Header.Get("Retry-After"); got != "9" {
			t.Errorf("Retry-After = %q", got)
		}
		time.Sleep(9 * time.Second)
		wantError(t, g.poll(device), 400, "slow_down") // 10 s now: this one is too early
		time.Sleep(15 * time.Second)
		wantError(t, g.poll(device), 400, "authorization_pending")
		time.Sleep(15 * time.Second)
		wantError(t, g.poll(device), 400, "access_denied")
		if r := g.Record(); r.EarlyPolls != 1 || r.Requests[2].Early || !r.Requests[3].Early {
			t.Errorf("record = %+v", r)
		}

		g.plan(`[{"endpoint": "device", "do": {"deny": true}}]`)
		wantError(t, g.poll(g.start()), 400, "access_denied")
	})
}

func TestFaultDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, sandbox.Config{})
		tokens := g.login()
		g.plan(`[{"endpoint": "token.refresh", "calls": [1], "do": {"delay_ms": 3000, "answer_delay_ms": 4000}},
			{"endpoint": "jwks", "do": {"body": "abcd", "trickle_ms": 1000}}]`)
		start := time.Now()
		renewed := g.renew(tokens["refresh_token"])
		if got := time.Since(start); got != 7*time.Second || renewed.Status != 200 {
			t.Errorf("delayed refresh took %v, status %d", got, renewed.Status)
		}
		start = time.Now()
		if a := g.get(g.URL("/jwks")); a.Body != "abcd" || time.Since(start) != 4*time.Second {
			t.Errorf("trickled %q in %v", a.Body, time.Since(start))
		}
	})
}

// overSocket serves g on a real loopback socket; what a dropped connection
// looks like is only seen there.
func overSocket(t *testing.T, g *rig) {
	t.Helper()
	srv := httptest.NewServer(g)
	t.Cleanup(srv.Close)
	if err := g.SetIssuer(srv.URL); err != nil {
		t.Fatal(err)
	}
	g.http.Transport = srv.Client().Transport
}

func TestFaultDrops(t *testing.T) {
	for _, tt := range []struct {
		drop, outcome string
		granted       int
		headers       bool // an answer begins before the connection ends
	}{
		{"before", "not_processed", 0, false},
		{"after", "issued", 1, false},
		{"mid", "issued", 1, true},
	} {
		t.Run(tt.drop, func(t *testing.T) {
			g := newRig(t, sandbox.Config{})
			overSocket(t, g)
			tokens := g.login()
			g.plan(`[{"endpoint": "token.refresh", "calls": [1], "do": {"drop": "` + tt.drop + `"}}]`)
			r := g.request("POST", g.TokenURL(), form("grant_type", "refresh_token", "client_id", "cli",
				"refresh_token", tokens["refresh_token"].(string)).Encode(), "Content-Type", "application/x-www-form-urlencoded")
			resp, err := g.http.Do(r)
			if (err == nil) != tt.headers {
				t.Fatalf("answer %v, error %v", resp, err)
			}
			if err == nil {
				defer resp.Body.Close()
				if body, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 || int64(len(body)) >= resp.ContentLength {
					t.Errorf("body %q of %d bytes: %v", body, resp.ContentLength, err)
				}
			}
			record := g.Record()
			last := record.Requests[len(record.Requests)-1]
			if record.RefreshesGranted != tt.granted || last.Outcome != tt.outcome || !last.Fault {
				t.Errorf("granted %d, request %+v", record.RefreshesGranted, last)
			}
			again := g.renew(tokens["refresh_token"]) // reuse, if the first was processed
			if got := again.Status == 200; got != (tt.granted == 0) {
				t.Errorf("second refresh: %d %s", again.Status, again.Body)
			}
		})
	}
}

func TestFaultDropWithoutHijack(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	g.plan(`[{"endpoint": "jwks", "do": {"drop": "before"}}]`)
	defer func() {
		if got := recover(); got != http.ErrAbortHandler {
			t.Errorf("panic = %v, want http.ErrAbortHandler", got)
		}
	}()
	g.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/jwks", nil))
}

func TestFaultProcessThenLie(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	tokens := g.login()
	g.plan(`[{"endpoint": "token.refresh", "calls": [1], "do": {"status": 500, "body": "oops", "process": true}}]`)
	if a := g.renew(tokens["refresh_token"]); a.Status != 500 || a.Body != "oops" {
		t.Errorf("answer = %d %q", a.Status, a.Body)
	}
	if r := g.Record(); r.RefreshesGranted != 1 || r.Requests[2].Outcome != "issued" || r.Requests[2].Status != 500 {
		t.Errorf("record = %+v", r)
	}
}

func TestFaultAtTheResource(t *testing.T) {
	g := newRig(t, sandbox.Config{Faults: sandbox.Faults{
		{Endpoint: "resource", Calls: []int{1}, Do: sandbox.Action{OAuthError: "invalid_token"}},
		{Endpoint: "resource", Calls: []int{2}, Do: sandbox.Action{OAuthError: "insufficient_scope"}},
	}})
	tokens := g.login()
	a := g.resource(tokens["access_token"])
	wantError(t, a, 401, "invalid_token")
	if got := a.Header.Get("WWW-Authenticate"); got != `Bearer realm="sandbox", error="invalid_token"` {
		t.Errorf("WWW-Authenticate = %q", got)
	}
	wantError(t, g.resource(tokens["access_token"]), 403, "insufficient_scope")
	if a := g.resource(tokens["access_token"]); a.Status != 200 {
		t.Errorf("third call: %d", a.Status)
	}
}

func TestFaultGzipBomb(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	overSocket(t, g)
	g.plan(`[{"endpoint": "jwks", "do": {"gzip": true, "body": "{", "repeat": {"text": "` + strings.Repeat(" ", 1024) + `", "times": 8192}}}]`)
	r := g.request("GET", g.URL("/jwks"), "", "Accept-Encoding", "gzip")
	resp, err := g.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	sent := &counter{r: resp.Body}
	z, err := gzip.NewReader(sent)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, z)
	if err != nil || n != 8<<20+1 || sent.n > 64<<10 {
		t.Errorf("%d bytes from %d: %v", n, sent.n, err)
	}
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestFaultEndlessBodyEndsWithItsClient(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	srv := httptest.NewServer(g)
	if err := g.SetIssuer(srv.URL); err != nil {
		t.Fatal(err)
	}
	g.http.Transport = srv.Client().Transport
	g.plan(`[{"endpoint": "jwks", "do": {"repeat": {"text": "` + strings.Repeat("x", 4096) + `", "times": -1}}}]`)
	resp, err := g.http.Do(g.request("GET", g.URL("/jwks"), ""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil {
		t.Error(err)
	}
	resp.Body.Close()
	srv.Close() // waits for the handler
}

func TestDelayEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, sandbox.Config{})
		tokens := g.login()
		g.plan(`[{"endpoint": "token.refresh", "do": {"delay_ms": 3600000}}]`)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := g.request("POST", g.TokenURL(), form("grant_type", "refresh_token", "client_id", "cli",
			"refresh_token", tokens["refresh_token"].(string)).Encode(), "Content-Type", "application/x-www-form-urlencoded")
		if _, err := g.http.Do(r.WithContext(ctx)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v, want deadline exceeded", err)
		}
		synctest.Wait()
		record := g.Record()
		last := record.Requests[len(record.Requests)-1]
		if record.RefreshRequests != 1 || record.RefreshesGranted != 0 || last.Outcome != "not_processed" || last.Status != 0 {
			t.Errorf("record = %+v", record)
		}
	})
}

func TestParseFaultsRefuses(t *testing.T) {
	rule := func(do string) string { return `[{"endpoint": "token", "do": ` + do + `}]` }
	for input, want := range map[string]string{
		`{}`:                        "cannot unmarshal",
		`[] 1`:                      "more than one",
		rule(`{"dellay_ms": 1}`):    `unknown field "dellay_ms"`,
		`[{"endpont": "token"}]`:    `unknown field "endpont"`,
		`[{"do": {"status": 500}}]`: `rule 1: endpoint ""`,
		`[{"endpoint": "tokens", "do": {"status": 500}}]`:                                 `endpoint "tokens"`,
		`[{"endpoint": "page", "do": {"status": 500}}]`:                                   `endpoint "page"`,
		`[{"endpoint": "token", "calls": [0], "do": {"status": 500}}]`:                    "start at 1",
		`[{"endpoint": "token", "calls": [1], "every": 2, "do": {"status": 500}}]`:        "not together",
		`[{"endpoint": "token", "from": 3, "to": 2, "do": {"status": 500}}]`:              "before from",
		`[{"endpoint": "token", "from": -1, "do": {"status": 500}}]`:                      "0 or more",
		`[{"endpoint": "token", "do": {"status": 500}}, {"endpoint": "token", "do": {}}]`: "rule 2: do: does nothing",
		rule(`{"status": 100}`):                                      "status 100",
		rule(`{"drop": "later"}`):                                    `drop "later"`,
		rule(`{"delay_ms": -1}`):                                     "0 or more",
		rule(`{"body": "a", "body_base64": "YQ=="}`):                 "one of them",
		rule(`{"body": "a", "oauth_error": "x"}`):                    "one of them",
		rule(`{"slow_down": true}`):                                  "token.device only",
		rule(`{"deny": true}`):                                       "device and token.device only",
		rule(`{"redirect": {"status": 307}}`):                        "location",
		rule(`{"redirect": {"status": 200, "location": "/"}}`):       "want 3xx",
		rule(`{"redirect": {"location": "/"}, "status": 301}`):       "redirect.status",
		rule(`{"repeat": {"times": 3}}`):                             "text is missing",
		rule(`{"repeat": {"text": "x", "times": 3}, "drop": "mid"}`): "not together",
		rule(`{"gzip": true, "drop": "mid"}`):                        "not together",
		rule(`{"truncate_at": -1}`):                                  "truncate_at",
		rule(`{"process": true, "drop": "after"}`):                   "process",
		rule(`{"headers": {"a b": "x"}}`):                            "header name",
		rule(`{"headers": {"a": "x\r\ny"}}`):                         "line break",
		rule(`{"headers": {"a": 1}}`):                                `header "a"`,
	} {
		if _, err := sandbox.ParseFaults([]byte(input)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseFaults(%s): %v, want %q", input, err, want)
		}
	}
}

func TestFaultsSurviveJSON(t *testing.T) {
	at := 3
	want := sandbox.Faults{
		{Endpoint: "token", Calls: []int{1, 3}, Do: sandbox.Action{Status: 500, Body: "x", Headers: sandbox.Headers{"A": {"1", "2"}}, TruncateAt: &at}},
		{Endpoint: "*", From: 2, Every: 2, Do: sandbox.Action{BodyBase64: []byte{0, 255}, Repeat: &sandbox.Repeat{Text: "y", Times: -1}}},
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := sandbox.ParseFaults(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}
