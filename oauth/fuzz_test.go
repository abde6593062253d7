package oauth

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/usherauth/usher/secret"
)

// The fuzz targets check what must hold of any input: no panic, and nothing comes out that the callers could not bear.

const (
	seedToken    = `{"access_token":"at-1","token_type":"Bearer","expires_in":"3600.5","refresh_token":"rt-2","scope":["a"],"x":{"y":[1]}}`
	seedDevice   = `{"device_code":"dc-1","user_code":"WDJB-MJHT","verification_url":"https://op.example/d","verification_uri_complete":"https://op.example/d?user_code=WDJBMJHT","expires_in":900,"interval":5.5}`
	seedError    = `{"error":{"code":"invalid_grant","message":"no\u001b"}}`
	seedMetadata = `{"issuer":"https://op.example","token_endpoint":"https://op.example/token","scopes_supported":["a"]}`
)

func seed(f *testing.F, more ...string) {
	for _, s := range append(more, "", "null", "[]", "{}", "\ufeff{}", `{"a":1}{}`, `{"a":1,"a":2}`, "{\"a\":\"\xff\"}", strings.Repeat("[", 100)) {
		f.Add([]byte(s))
	}
}

func FuzzParseObject(f *testing.F) {
	seed(f, seedToken, seedDevice, seedError)
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseObject(body)
		if err != nil {
			return
		}
		for name, raw := range o.members {
			if !json.Valid(raw) {
				t.Fatalf("member %q holds no JSON", name)
			}
		}
		var std map[string]any
		if len(o.members) > maxMembers {
			t.Fatalf("%d members", len(o.members))
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(strings.ToValidUTF8(string(body), "\ufffd"), "\ufeff")), &std); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
	})
}

func FuzzParseForm(f *testing.F) {
	seed(f, "access_token=at-1&token_type=bearer&scope=a%2Cb", "a=1&a=2", "a=%zz", "a;b")
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseForm(body)
		if err != nil {
			return
		}
		for name := range o.members {
			if _, err := o.text(name); err != nil && !o.clashes[name] {
				t.Fatalf("member %q of a form is no string: %v", name, err)
			}
		}
	})
}

func FuzzTokenAnswer(f *testing.F) {
	seed(f, seedToken)
	now := time.Unix(1_790_000_000, 0)
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseObject(body)
		if err != nil {
			return
		}
		tok, err := parseToken(o, traits{commaScopes: true}, now)
		if err != nil {
			return
		}
		if tok.AccessToken.IsZero() || !isTokenText(tok.AccessToken.Reveal()) {
			t.Fatal("access token does not fit a header")
		}
		if tok.Lifetime < 0 || tok.Lifetime > maxLifetime || tok.RefreshLifetime < 0 || tok.RefreshLifetime > maxLifetime {
			t.Fatalf("lifetimes %v and %v", tok.Lifetime, tok.RefreshLifetime)
		}
		if !tok.Extra.IsZero() {
			if _, err := parseObject([]byte(tok.Extra.Reveal())); err != nil {
				t.Fatalf("Extra is no object: %v", err)
			}
		}
		for _, w := range tok.Warnings {
			checkShown(t, w)
		}
	})
}

func FuzzDeviceAnswer(f *testing.F) {
	seed(f, seedDevice)
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseObject(body)
		if err != nil {
			return
		}
		d, err := parseDevice(o)
		if err != nil {
			checkShown(t, err.Error())
			return
		}
		if d.Interval < minInterval || d.Interval > maxInterval || d.ExpiresIn <= 0 || d.ExpiresIn > maxDeviceLifetime {
			t.Fatalf("interval %v, lifetime %v", d.Interval, d.ExpiresIn)
		}
		for _, s := range append(d.Warnings, d.UserCode, d.VerificationURI, d.VerificationURIComplete) {
			checkShown(t, s)
		}
		if d.DeviceCode.IsZero() || !strings.HasPrefix(d.VerificationURI, "http") {
			t.Fatalf("device code %t, link %q", d.DeviceCode.IsZero(), d.VerificationURI)
		}
	})
}

func FuzzErrorAnswer(f *testing.F) {
	seed(f, seedError, `{"error":"slow_down","error_description":"x"}`, `{"error":"\u001b"}`)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, contentType := range []string{"application/json", "application/x-www-form-urlencoded"} {
			a := &answer{status: 400, header: http.Header{"Content-Type": {contentType}}, body: body}
			a.parse()
			e := a.failure("refresh", func(string) bool { return false })
			if e == nil || e.Outcome != Answered || (e.Kind == KindOAuth) != (e.Code != "") {
				t.Fatalf("got %+v", e)
			}
			checkShown(t, e.Error())
			checkShown(t, e.Description)
		}
	})
}

func FuzzMetadata(f *testing.F) {
	seed(f, seedMetadata)
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseObject(body)
		if err != nil {
			return
		}
		m, err := parseMetadata(o, "https://op.example")
		if err != nil {
			checkShown(t, err.Error())
			return
		}
		if m.Issuer != "https://op.example" {
			t.Fatalf("issuer %q", m.Issuer)
		}
		if err := m.Endpoints().Validate(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzSubject(f *testing.F) {
	seed(f, "e30."+base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"i","sub":"s"}`))+".x", "..", "...")
	f.Fuzz(func(t *testing.T, token []byte) {
		iss, sub, ok := Subject(secret.New(string(token)))
		if ok != (iss != "" && sub != "") {
			t.Fatalf("got %q %q %t", iss, sub, ok)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "5", "-1", "1e9", "1.5", "Thu, 01 Jan 1970 00:00:00 GMT", "soon"} {
		f.Add(s)
	}
	now := time.Unix(1_790_000_000, 0)
	f.Fuzz(func(t *testing.T, value string) {
		got := retryAfter(http.Header{"Retry-After": {value}}, now)
		if got != 0 && (got < minRetryAfter || got > maxRetryAfter) {
			t.Fatalf("%q: %v", value, got)
		}
	})
}

// checkShown fails if s could do harm on a terminal or in a log.
func checkShown(t *testing.T, s string) {
	t.Helper()
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Fatalf("unfit to be shown: %q", s)
	}
}
