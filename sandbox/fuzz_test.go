package sandbox_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/sandbox"
)

// FuzzRequest sends anything anywhere: the server must answer, whatever comes.
func FuzzRequest(f *testing.F) {
	for _, query := range []string{"", authorizeForm().Encode(), "user_code=bcdf ghjk", "redirect_uri=http://127.0.0.1:1/%zz&client_id=a"} {
		for _, path := range []string{"/device_authorization", "/token", "/authorize", "/device", "/revoke", "/resource", "/_sandbox/approve"} {
			f.Add(path, query, "client_id=a&grant_type=refresh_token&refresh_token=x&usher_context=null", "Bearer x")
		}
	}
	s, err := sandbox.New(sandbox.Config{Issuer: issuer})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path, query, body, authorization string) {
		for _, method := range []string{"GET", "POST"} {
			r := httptest.NewRequest(method, "/", strings.NewReader(body))
			r.URL.Path, r.URL.RawQuery = path, query
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Authorization", authorization)
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, r)
			if location := rec.Header().Get("Location"); location != "" && !strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "http://") {
				t.Errorf("redirected to %q", location)
			}
			if rec.Code >= 500 {
				t.Errorf("%s %q: %d", method, path, rec.Code)
			}
		}
		s.ResetRecord()
	})
}

// FuzzParseFaults holds that a plan which is accepted means the same when it is
// written and read again.
func FuzzParseFaults(f *testing.F) {
	f.Add(`[{"endpoint": "token", "calls": [1], "do": {"status": 500, "headers": {"a": ["b"]}}}]`)
	f.Add(`[{"endpoint": "*", "every": 2, "do": {"repeat": {"text": "x", "times": -1}, "set": {"a": null}}}]`)
	f.Fuzz(func(t *testing.T, input string) {
		plan, err := sandbox.ParseFaults([]byte(input))
		if err != nil {
			return
		}
		first, err := json.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		again, err := sandbox.ParseFaults(first)
		if err != nil {
			t.Fatalf("reading %s again: %v", first, err)
		}
		second, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(first), string(second)); diff != "" {
			t.Errorf("plan (-first +second):\n%s", diff)
		}
	})
}
