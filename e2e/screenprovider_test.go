package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// A stage is a provider whose every word is given, so that screens come out the
// same each time: even the QR code has to.
type stage struct {
	t   *testing.T
	url string

	mu      sync.Mutex
	device  map[string]any // the answer to a device authorization
	token   string         // an error code to answer polls with; "" grants
	status  int            // instead of an answer to a poll
	started int
}

// The link and code of the stage.
const (
	stageCode = "WDJB-MJHT"
	stageLink = "https://login.example/device?user_code=" + stageCode
)

// newStage starts a provider that polls find pending. Its codes last as long as
// lifetime says and may be asked for every interval, both in seconds.
func newStage(t *testing.T, lifetime, interval int) *stage {
	t.Helper()
	s := &stage{t: t, token: "authorization_pending", device: map[string]any{
		"device_code": "device-code", "user_code": stageCode,
		"verification_uri": "https://login.example/device", "verification_uri_complete": stageLink,
		"expires_in": lifetime, "interval": interval,
	}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	var answer map[string]any
	switch {
	case r.URL.Path == "/device":
		s.started++
		answer = s.device
	case r.URL.Path != "/token":
		w.WriteHeader(http.StatusNotFound)
		return
	case s.status != 0:
		w.WriteHeader(s.status)
		return
	case s.token != "":
		w.WriteHeader(http.StatusBadRequest)
		answer = map[string]any{"error": s.token}
	default:
		answer = map[string]any{"access_token": "at", "token_type": "Bearer", "expires_in": 30000, "refresh_token": "rt"}
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		s.t.Error(err)
	}
}

// answers sets what polls are answered: an error code, or "" for a token.
func (s *stage) answers(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.status = token, 0
}

// fails answers polls with a status and nothing else.
func (s *stage) fails(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

// says changes what a device authorization is answered.
func (s *stage) says(name string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.device[name] = value
}

// provide makes s the provider "here" of h.
func (h *home) provide(s *stage, title string) {
	h.t.Helper()
	h.must("provider", "add", "here", "--device-endpoint", s.url+"/device", "--token-endpoint", s.url+"/token",
		"--client-id", "cli", "--scope", "repo", "--scope", "offline_access", "--title", title)
}
