package credhelper_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/credhelper"
)

func TestParseExecInfo(t *testing.T) {
	const head = `{"apiVersion":"client.authentication.k8s.io/v1`
	for text, want := range map[string]credhelper.ExecInfo{
		"": {Version: credhelper.ExecV1},
		head + `","kind":"ExecCredential","spec":{"interactive":true}}`:                                     {Version: credhelper.ExecV1, Interactive: true},
		head + `","kind":"ExecCredential","spec":{"cluster":{"server":"https://x"},"interactive":false}}`:   {Version: credhelper.ExecV1},
		head + `beta1","kind":"ExecCredential","spec":{}}`:                                                  {Version: credhelper.ExecV1Beta1},
		head + `beta1","kind":"ExecCredential","spec":{"response":{"code":401}},"status":null,"new":[1,2]}`: {Version: credhelper.ExecV1Beta1},
	} {
		if got, err := credhelper.ParseExecInfo(text); got != want || err != nil {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"nonsense": "JSON",
		`{}`:       "no ExecCredential",
		`{"apiVersion":"client.authentication.k8s.io/v1","kind":"Config"}`:               "no ExecCredential",
		`{"apiVersion":"client.authentication.k8s.io/v1alpha1","kind":"ExecCredential"}`: "v1alpha1",
		`{"kind":"ExecCredential"}`: "version",
	} {
		if got, err := credhelper.ParseExecInfo(text); err == nil || !strings.Contains(err.Error(), want) || got != (credhelper.ExecInfo{}) {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
}

func TestExecCredential(t *testing.T) {
	ends := time.Date(2026, 11, 22, 7, 15, 0, 0, time.FixedZone("", 7200))
	got, err := credhelper.ExecCredential(credhelper.ExecV1, api.Token{AccessToken: "t", TokenType: "Bearer", ExpiresAt: ends})
	if want := `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t","expirationTimestamp":"2026-11-22T05:15:00Z"}}`; string(got) != want || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	got, err = credhelper.ExecCredential(credhelper.ExecV1Beta1, api.Token{AccessToken: "t"})
	if want := `{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","status":{"token":"t"}}`; string(got) != want || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

// FuzzExecInfo holds that only the two versions are ever answered in, and that
// an answer is one line of JSON.
func FuzzExecInfo(f *testing.F) {
	f.Add(`{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":true}}`, "t")
	f.Add("", "a\nb")
	f.Fuzz(func(t *testing.T, text, token string) {
		info, err := credhelper.ParseExecInfo(text)
		if err != nil {
			return
		}
		if info.Version != credhelper.ExecV1 && info.Version != credhelper.ExecV1Beta1 {
			t.Fatalf("version %q", info.Version)
		}
		line, err := credhelper.ExecCredential(info.Version, api.Token{AccessToken: token})
		if err != nil || strings.ContainsAny(string(line), "\r\n") || !json.Valid(line) {
			t.Errorf("%q, %v", line, err)
		}
	})
}
