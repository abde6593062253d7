package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/usherauth/usher/e2e/apispec"
	"github.com/usherauth/usher/e2e/oidcprovider"
)

// place puts something into the names of a path.
var place = strings.NewReplacer("{id}", "nope", "{provider}", "here", "{account}", "default")

// isNative reports whether an operation belongs to the native surface.
func isNative(op apispec.Operation) bool { return strings.HasPrefix(op.Path, "/v1/") }

// describes reports whether a status of an operation is described.
func describes(op apispec.Operation, status int) bool { return slices.Contains(op.Statuses, status) }

// codeOf is the code of a gate's refusal, which only the native surface names.
func codeOf(op apispec.Operation, code string) string {
	if isNative(op) {
		return code
	}
	return ""
}

// TestEveryGate sends to each operation what the gates must refuse, and to paths
// that are none.
func TestEveryGate(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.flags = []string{"--require-auth"}
	h.serve()
	right, wrong := h.wire(), h.wire()
	wrong.token = "wrong"
	for _, op := range spec.Operations() {
		path := place.Replace(op.Path)
		wrong.do(op.Method, path, "").want(401, codeOf(op, "unauthorized"))
		wrong.with("Host", "evil.example").do(op.Method, path, "").want(403, codeOf(op, "forbidden_host"))
		right.with("Origin", "http://evil.example").do(op.Method, path, "").want(403, codeOf(op, "forbidden_origin"))
		if describes(op, 413) {
			size := 10<<20 + 1
			if isNative(op) {
				size = 64<<10 + 1
			}
			right.do(op.Method, path, strings.Repeat(" ", size)).want(413, codeOf(op, "body_too_large"))
		}
		if describes(op, 415) {
			right.with("Content-Type", "text/plain").do(op.Method, path, `{"key":"here"}`).want(415, "unsupported_media_type")
		}
	}
	for _, surface := range []struct{ nowhere, somewhere, notFound, method string }{
		{"/nope", "/capabilities", "not_found", "method_not_allowed"},
		{"/v1/nope", "/v1/logins", "not_found", "method_not_allowed"},
	} {
		wrong.do("GET", surface.nowhere, "").want(401, "")
		wrong.with("Host", "evil.example").do("GET", surface.nowhere, "").want(403, "")
		right.with("Origin", "null").do("GET", surface.nowhere, "").want(403, "")
		right.do("GET", surface.nowhere, "").want(404, surface.notFound)
		right.do("PUT", surface.somewhere, "").want(405, surface.method)
		right.do("GET", surface.nowhere+"/%FF", "").want(400, "invalid_request")
	}
	h.raw("GET", "/", "GET /%E0%A4%A HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n").want(400, "invalid_request")
	// HEAD is answered like GET, without a body.
	if a := right.do("HEAD", "/capabilities", ""); a.status != 200 || len(a.body) != 0 {
		t.Errorf("HEAD answered %d %q", a.status, a.body)
	}
	// Case and a trailing slash matter on the native surface only.
	right.do("GET", "/WORKSPACE/Auth/Status/", "").want(200, "")
	right.do("GET", "/v1/LOGINS", "").want(404, "not_found")
	right.do("GET", "/v1/logins/", "").want(404, "not_found")
}

// TestPreflight asks as a browser does for a page of an allowed origin.
func TestPreflight(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.flags = []string{"--allow-origin", "https://app.example"}
	h.serve()
	w := h.wire()
	for _, path := range []string{"/workspace/auth/device-flow", "/v1/logins"} {
		a := w.with("Origin", "https://app.example").with("Access-Control-Request-Method", "POST").do("OPTIONS", path, "").want(204, "")
		if got := a.header.Get("Access-Control-Allow-Origin"); got != "https://app.example" {
			t.Errorf("allowed origin: %q", got)
		}
		if got := a.header.Get("Access-Control-Allow-Credentials"); got != "" {
			t.Errorf("credentials are allowed: %q", got)
		}
		w.with("Origin", "https://other.example").with("Access-Control-Request-Method", "POST").do("OPTIONS", path, "").want(403, "")
	}
	w.with("Origin", "https://app.example").with("Sec-Fetch-Site", "cross-site").do("GET", "/capabilities", "").want(200, "")
}

// TestTokenless is what a daemon without a token refuses, in its two modes.
func TestTokenless(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		h := newHome(t)
		h.flags = []string{"--no-auth"}
		if strict {
			h.flags = append(h.flags, "--strict-loopback")
		}
		h.serve()
		w := h.wire()
		for _, op := range spec.Operations() {
			path := place.Replace(op.Path)
			switch {
			case strings.HasPrefix(path, "/v1/credentials"), path == "/v1/token":
				w.do(op.Method, path, "").want(401, "token_required")
			case op.ID == "getLogin" && !strict:
				w.do(op.Method, path+"?reveal=code", "").want(401, "token_required")
			case strict && (strings.HasPrefix(path, "/workspace/auth/device-flow") || path == "/v1/logins" && op.Method == "POST" || strings.HasPrefix(path, "/v1/logins/")):
				w.do(op.Method, path, "").want(401, "token_required")
			}
		}
	}
}

// TestRateLimit exhausts a client's buckets, which then holds for every
// operation that is limited, and for nobody else.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.flags = []string{"--rate-limit", "--rate-limit-read", "1", "--rate-limit-mutation", "1"}
	h.serve()
	w := h.wire()
	w.do("GET", "/nope", "")
	w.do("DELETE", "/nope", "")
	for _, op := range spec.Operations() {
		path := place.Replace(op.Path)
		if describes(op, 429) && !strings.HasSuffix(path, "/events") {
			w.do(op.Method, path, "").want(429, "rate_limit_exceeded")
		}
	}
	w.do("GET", "/nope", "").want(429, "rate_limit_exceeded")
	w.do("GET", "/v1/nope", "").want(429, "rate_limit_exceeded")
	w.do("GET", "/health", "").want(200, "")
	w.as("somebody-else").do("GET", "/capabilities", "").want(200, "")
}

// TestBrokenStore asks a daemon whose data folder is not what it was.
func TestBrokenStore(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box()
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "broken")
	h.serve()
	w := h.wire()
	h.inTheWay("logins")
	h.inTheWay("credentials")
	// What it lists it knows as of a second ago.
	oidcprovider.Poll(t, "the trouble to be noticed", func() bool { return w.do("GET", "/v1/logins", "").status == 500 })
	bodies := map[string]string{
		"startDeviceFlow": `{"providerId":"here"}`, "startLogin": `{"key":"here"}`, "token": `{"key":"here"}`,
		"completeLogin": `{"code":"x","state":"x"}`,
	}
	for _, op := range spec.Operations() {
		if describes(op, 500) {
			w.do(op.Method, place.Replace(op.Path), bodies[op.ID]).want(500, "store_failure")
		}
	}
}
