package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// A follower collects the types of the events of a stream.
type follower struct {
	t   *testing.T
	mu  sync.Mutex
	got []string
}

// follow opens a stream and returns when the daemon has begun it.
func (w *wire) follow(ctx context.Context, header http.Header, path string) *follower {
	w.t.Helper()
	response := w.open(ctx, header, "GET", path, "")
	if response.StatusCode != http.StatusOK {
		w.t.Fatalf("GET %s answered %s", path, response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	if !lines.Scan() || lines.Text() != "retry: 3000" {
		w.t.Fatalf("a stream begins with %q, %v", lines.Text(), lines.Err())
	}
	f := &follower{t: w.t}
	go func() {
		defer response.Body.Close()
		for lines.Scan() {
			if typ, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				f.mu.Lock()
				f.got = append(f.got, typ)
				f.mu.Unlock()
			}
		}
	}()
	return f
}

// wait waits for an event that has not been waited for.
func (f *follower) wait(typ string) {
	f.t.Helper()
	oidcprovider.Poll(f.t, "the event "+typ, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		i := slices.Index(f.got, typ)
		if i >= 0 {
			f.got = slices.Delete(f.got, i, i+1)
		}
		return i >= 0
	})
}

// startedLogin is the answer to a start on the native surface.
func (a *answer) login() loginView { a.t.Helper(); return decode[loginView](a.t, string(a.body)) }

// TestNativeJourney leads logins and credentials through all that can happen to
// them, and reads of each event.
func TestNativeJourney(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box("--interval", "1", "--token-lifetime", "1h")
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "native",
		"--scope", "openid", "--scope", "offline_access")
	h.serve()
	w := h.wire()
	events := w.follow(t.Context(), nil, "/v1/events")
	w.follow(t.Context(), http.Header{"Last-Event-Id": {"garbage"}}, "/v1/events").wait("stream.resync")

	start := func(account string) loginView {
		t.Helper()
		login := w.as("ada").do("POST", "/v1/logins", `{"key":"here/`+account+`","origin":"ada@laptop"}`).want(201, "").login()
		events.wait("login.started")
		return login
	}
	// Who started it sees the code, others ask for it.
	first := start("a")
	path := "/v1/logins/" + first.ID
	if got := w.as("ada").do("GET", path, "").want(200, "").login(); got.UserCode != first.UserCode {
		t.Errorf("the initiator sees %+v", got)
	}
	if got := w.do("GET", path, "").want(200, "").login(); got.UserCode != "" {
		t.Errorf("somebody else sees %+v", got)
	}
	if got := w.do("GET", path+"?reveal=code", "").want(200, "").login(); got.UserCode != first.UserCode {
		t.Errorf("who asks for the code sees %+v", got)
	}
	if got := h.ownerWire().do("GET", path, "").want(200, "").login(); got.UserCode != first.UserCode {
		t.Errorf("the owner sees %+v", got)
	}
	if got := w.do("POST", "/v1/logins", `{"key":"here/a"}`).want(200, "").login(); got.ID != first.ID {
		t.Errorf("joined %+v", got)
	}
	w.do("GET", "/v1/logins", "").want(200, "")
	w.do("DELETE", path, "").want(403, "not_initiator")

	box.faults(`[{"endpoint": "token.device", "calls": [1], "do": {"slow_down": true}}]`)
	events.wait("login.throttled")
	box.approve(first.UserCode)
	if got := w.as("ada").do("GET", path+"?wait=30s", "").want(200, "").login(); got.Status != "authorized" {
		t.Fatalf("the login ended as %+v", got)
	}
	events.wait("login.authorized")
	events.wait("credential.stored")

	denied := start("b")
	box.deny(denied.UserCode)
	events.wait("login.denied")
	box.faults(`[{"endpoint": "device", "do": {"set": {"expires_in": 1}}}]`)
	start("b")
	events.wait("login.expired")
	box.faults(`[{"endpoint": "token.device", "do": {"oauth_error": "invalid_grant"}}]`)
	start("b")
	events.wait("login.failed")
	box.faults(`[]`)
	cancelled := start("b")
	w.do("DELETE", "/v1/logins/"+cancelled.ID+"?force=true", "").want(200, "")
	events.wait("login.cancelled")

	// Somebody else logs in to the same key.
	again := start("a")
	box.post("/_sandbox/approve", `{"user_code":"`+again.UserCode+`","subject":"bob"}`)
	events.wait("credential.account_changed")

	w.do("GET", "/v1/credentials", "").want(200, "")
	w.do("GET", "/v1/credentials/here/a", "").want(200, "")
	w.do("GET", "/v1/providers", "").want(200, "")
	w.do("POST", "/v1/token", `{"key":"here/a","min_ttl":60}`).want(200, "")
	w.do("DELETE", "/v1/credentials/here/a?keep_remote=true", "").want(200, "")
	events.wait("credential.removed")
	w.do("POST", "/v1/token", `{"key":"here/a"}`).want(409, "login_needed")
	w.do("GET", "/v1/credentials/here/a", "").want(409, "login_needed")
}

// TestNativeRefresh refreshes a token, fails to, and is refused.
func TestNativeRefresh(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box("--interval", "1", "--approve", "auto", "--token-lifetime", "2s")
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "native",
		"--scope", "openid", "--scope", "offline_access")
	h.serve()
	w := h.wire()
	events := w.follow(t.Context(), nil, "/v1/events")
	h.must("login", "here", "--qr=never")
	token := func(status int, code string) {
		t.Helper()
		oidcprovider.Poll(t, code, func() bool {
			a := w.do("POST", "/v1/token", `{"key":"here"}`)
			return a.status == status && a.str("code") == code
		})
	}
	first := h.token("here")
	oidcprovider.Poll(t, "a refreshed token", func() bool { return h.token("here") != first })
	events.wait("credential.refreshed")
	box.faults(`[{"endpoint": "token.refresh", "do": {"status": 503, "body": "later"}}]`)
	token(502, "provider_unreachable")
	box.faults(`[{"endpoint": "token.refresh", "do": {"oauth_error": "unauthorized_client"}}]`)
	token(502, "provider_refused")
	box.faults(`[{"endpoint": "token.refresh", "do": {"oauth_error": "invalid_grant"}}]`)
	token(409, "login_needed")
	events.wait("credential.needs_login")
}

// TestNativeRefusals is what clients of the native surface get wrong.
func TestNativeRefusals(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box("--interval", "5")
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "native")
	h.serve()
	w := h.wire()
	const logins, credentials = "/v1/logins", "/v1/credentials/"
	w.do("POST", logins, `{"key":"Not A Key"}`).want(400, "invalid_key")
	w.do("POST", logins, `{"key":5}`).want(400, "invalid_request")
	w.do("POST", logins, `{"key":"nope"}`).want(404, "unknown_provider")
	w.do("POST", logins, `{"key":"github"}`).want(409, "provider_incomplete")
	w.do("POST", logins, `{"key":"qwen-oauth","method":"code"}`).want(409, "unsupported_method")
	w.as("bad id!").do("POST", logins, `{"key":"here"}`).want(400, "invalid_request")
	w.do("GET", logins+"/nope", "").want(404, "login_not_found")
	w.do("DELETE", logins+"/nope", "").want(404, "login_not_found")
	w.do("GET", logins+"/nope?wait=soon", "").want(400, "invalid_request")
	w.do("GET", logins+"/nope?reveal=all", "").want(400, "invalid_request")
	w.do("DELETE", logins+"/nope?force=maybe", "").want(400, "invalid_request")
	w.do("GET", credentials+"Here/default", "").want(400, "invalid_key")
	w.do("DELETE", credentials+"Here/default", "").want(400, "invalid_key")
	w.do("DELETE", credentials+"here/default?keep_remote=maybe", "").want(400, "invalid_request")
	w.do("POST", "/v1/token", `{"key":"Here"}`).want(400, "invalid_key")
	w.do("POST", "/v1/token", `{"key":"here","min_ttl":-1}`).want(400, "invalid_request")
	w.do("POST", "/v1/token", `{"key":"nope"}`).want(404, "unknown_provider")
	w.do("GET", credentials+"nope/default", "").want(404, "unknown_provider")
	for _, refusal := range []struct{ fault, code string }{
		{`{"status": 503, "body": "later"}`, "provider_unreachable"},
		{`{"oauth_error": "invalid_client"}`, "provider_refused"},
	} {
		box.faults(`[{"endpoint": "device", "do": ` + refusal.fault + `}]`)
		w.do("POST", logins, `{"key":"here"}`).want(502, refusal.code)
		w.do("POST", "/workspace/auth/device-flow", `{"providerId":"here"}`).want(502, "upstream_error")
	}
	box.faults(`[]`)
	for _, account := range []string{"a", "b", "c", "d"} {
		w.do("POST", logins, `{"key":"here/`+account+`"}`).want(201, "")
	}
	w.do("POST", logins, `{"key":"here/e"}`).want(409, "too_many_logins")

	const flow = "/workspace/auth/device-flow"
	w.as("bad id!").do("POST", flow, `{"providerId":"here"}`).want(400, "invalid_client_id")
	id := w.do("POST", flow, `{"providerId":"here/a"}`).want(200, "").str("deviceFlowId")
	w.as("bad id!").do("GET", flow+"/"+id, "").want(400, "invalid_client_id")
	w.as("bad id!").do("GET", flow+"/nope", "").want(404, "device_flow_not_found")
	w.as("bad id!").do("DELETE", flow+"/nope", "").want(400, "invalid_client_id")

	var streams []*http.Response
	for {
		response := w.open(t.Context(), nil, "GET", "/v1/events", "")
		defer response.Body.Close()
		if response.StatusCode == http.StatusTooManyRequests {
			break
		}
		if streams = append(streams, response); len(streams) > 1000 {
			t.Fatal("there is no limit of streams")
		}
	}
}

// TestMaxLogins has room for one login, on both surfaces together.
func TestMaxLogins(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box("--interval", "5")
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "native")
	h.flags = []string{"--max-logins", "1"}
	h.serve()
	w := h.wire()
	first := w.do("POST", "/v1/logins", `{"key":"here/a"}`).want(201, "").login()
	w.do("POST", "/v1/logins", `{"key":"here/b"}`).want(409, "too_many_logins")
	w.do("POST", "/workspace/auth/device-flow", `{"providerId":"here/b"}`).want(409, "too_many_active_flows")
	w.do("DELETE", "/v1/logins/"+first.ID, "").want(200, "")
	w.do("POST", "/workspace/auth/device-flow", `{"providerId":"here/b"}`).want(201, "")
}

// TestSilentProvider waits for the daemon to give up on a provider.
func TestSilentProvider(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box()
	box.faults(`[{"endpoint": "device", "do": {"delay_ms": 60000}}]`)
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "native")
	h.serve()
	began := time.Now()
	eachStart(h, func(a *answer) { a.want(502, "") })
	if took := time.Since(began); took < 25*time.Second || took > 45*time.Second {
		t.Errorf("the daemon gave up after %v, want 30 s", took)
	}
}

// TestStoppingDaemon ends the daemon while starts wait for the provider. They
// are settled first, and go on after the next start.
func TestStoppingDaemon(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box()
	box.faults(`[{"endpoint": "device", "do": {"delay_ms": 2000}}]`)
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "native")
	h.serve()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		oidcprovider.Poll(t, "both at the provider", func() bool { return box.arrived("device") == 2 })
		h.stop()
	}()
	eachStart(h, func(a *answer) { a.want(201, "") })
	<-stopped
	h.serve()
	list := decode[struct{ Logins []loginView }](t, string(h.wire().do("GET", "/v1/logins", "").want(200, "").body))
	if len(list.Logins) != 2 || list.Logins[0].Status != "pending" || list.Logins[1].Status != "pending" {
		t.Errorf("logins after the restart: %+v", list.Logins)
	}
}

// eachStart starts a login on each surface, at the same time.
func eachStart(h *home, look func(*answer)) {
	h.t.Helper()
	var both sync.WaitGroup
	for path, body := range map[string]string{
		"/v1/logins": `{"key":"here/a"}`, "/workspace/auth/device-flow": `{"providerId":"here/b"}`,
	} {
		w := h.wire()
		both.Go(func() { look(w.do("POST", path, body)) })
	}
	both.Wait()
}

// arrived counts the requests of an endpoint that are there, answered or not.
func (b *box) arrived(endpoint string) (n int) {
	b.t.Helper()
	r, err := http.Get(b.issuer + "/_sandbox/record")
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close()
	var record struct{ Requests []struct{ Endpoint string } }
	if err := json.NewDecoder(r.Body).Decode(&record); err != nil {
		b.t.Fatal(err)
	}
	for _, request := range record.Requests {
		if request.Endpoint == endpoint {
			n++
		}
	}
	return n
}

// TestSessions is what clients of sessions get wrong, and the limits.
func TestSessions(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.serve()
	w := h.wire()
	session := func() string { return "/session/" + w.do("POST", "/session", `{}`).want(200, "").str("sessionId") }
	first := session()
	w.do("POST", "/session", `{"cwd":"relative"}`).want(400, "invalid_request")
	w.do("POST", "/session", `{bad`).want(400, "")
	for _, op := range spec.Operations() {
		if strings.HasPrefix(op.Path, "/session") {
			w.as("bad id!").do(op.Method, strings.Replace(op.Path, "/session/{id}", first, 1), "").want(400, "invalid_client_id")
			if strings.Contains(op.Path, "{id}") {
				w.do(op.Method, place.Replace(op.Path), "").want(404, "session_not_found")
			}
		}
	}
	w.do("GET", first+"/events?maxQueued=15", "").want(400, "invalid_max_queued")
	w.do("GET", first+"/events?maxQueued=many", "").want(400, "invalid_max_queued")
	w.as("ada").do("POST", first+"/heartbeat", `{}`).want(200, "")
	w.do("POST", first+"/detach", "").want(204, "")
	for range 64 {
		defer w.open(t.Context(), nil, "GET", first+"/events?maxQueued=16&connectReason=initial", "").Body.Close()
	}
	w.do("GET", first+"/events", "").want(429, "subscriber_limit_exceeded")
	w.do("DELETE", first, "").want(204, "")
}

// TestSessionLimit follows as many sessions as there may be, by both ways to the
// daemon since each has its own limit of connections. One that nobody follows
// makes room for another.
func TestSessionLimit(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.serve()
	tcp, owner := h.wire(), h.ownerWire()
	var last *http.Response
	for i := 0; ; i++ {
		a := tcp.do("POST", "/session", `{}`)
		if a.status == http.StatusServiceUnavailable {
			a.want(503, "session_limit_exceeded")
			break
		}
		if i > 1000 {
			t.Fatal("there is no limit of sessions")
		}
		w := tcp
		if i%2 == 0 {
			w = owner
		}
		last = w.open(t.Context(), nil, "GET", "/session/"+a.want(200, "").str("sessionId")+"/events", "")
		defer last.Body.Close()
		if last.StatusCode != http.StatusOK {
			t.Fatalf("stream %d: %s", i+1, last.Status)
		}
	}
	last.Body.Close()
	oidcprovider.Poll(t, "room for a session", func() bool { return tcp.do("POST", "/session", `{}`).status == 200 })
}
