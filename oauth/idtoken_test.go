package oauth_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

func TestSubject(t *testing.T) {
	b64 := base64.RawURLEncoding.EncodeToString
	for _, tt := range []struct {
		name, token, iss, sub string
	}{
		{"plain", "e30." + b64([]byte(`{"iss":"https://op.example","sub":"42"}`)) + ".sig", "https://op.example", "42"},
		{"no signature", "e30." + b64([]byte(`{"iss":"i","sub":"s"}`)) + ".", "i", "s"},
		{"empty", "", "", ""},
		{"two parts", "e30." + b64([]byte(`{"iss":"i","sub":"s"}`)), "", ""},
		{"five parts", "a.b.c.d.e", "", ""},
		{"not base64", "e30.{}.x", "", ""},
		{"padded", "e30." + base64.URLEncoding.EncodeToString([]byte(`{"iss":"i","sub":"ss"}`)) + ".x", "", ""},
		{"not json", "e30." + b64([]byte("null")) + ".x", "", ""},
		{"number", "e30." + b64([]byte(`{"iss":"i","sub":7}`)) + ".x", "", ""},
		{"two subjects", "e30." + b64([]byte(`{"iss":"i","sub":"a","sub":"b"}`)) + ".x", "", ""},
		{"no issuer", "e30." + b64([]byte(`{"sub":"s"}`)) + ".x", "", ""},
		{"too long", "e30." + b64([]byte(`{"iss":"i","sub":"s","x":"`+strings.Repeat("x", 16<<10)+`"}`)) + ".x", "", ""},
		{"dots", strings.Repeat(".", 1<<20), "", ""},
	} {
		iss, sub, ok := oauth.Subject(secret.New(tt.token))
		if iss != tt.iss || sub != tt.sub || ok != (tt.sub != "") {
			t.Errorf("%s: got %q %q %t, want %q %q", tt.name, iss, sub, ok, tt.iss, tt.sub)
		}
	}
}
