package server

import (
	"net/http"
	"slices"

	"github.com/usherauth/usher/api"
)

// features is what /capabilities advertises: only what is served.
var features = []string{
	"health", "capabilities", "auth_device_flow", "client_identity",
	"session_create", "session_events", "session_close", "client_heartbeat",
	api.SessionSlowClient, "typed_event_schema",
}

func (s *Server) features() []string {
	if s.RequireAuth {
		return append(slices.Clone(features), "require_auth")
	}
	return features
}

// health is GET /health: that the daemon answers, and nothing else.
func (s *Server) health(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, r, http.StatusOK, api.Health{Status: "ok"})
}

// capabilities is GET /capabilities.
func (s *Server) capabilities(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, r, http.StatusOK, api.Capabilities{
		V:                1,
		ProtocolVersions: api.ProtocolVersions{Current: "v1", Supported: []string{"v1"}},
		UsherVersion:     s.Version,
		Mode:             "http-bridge",
		Features:         s.features(),
		ModelServices:    []string{},
		WorkspaceCwd:     s.Workspace,
		Transports:       []string{"rest"},
	})
}

// A writtenStatus is an answer of auth/status and its body.
type writtenStatus struct {
	api.AuthStatus
	body []byte
}

// authStatus is GET /workspace/auth/status. Clients ask for it all the time and
// it seldom changes, so that it is encoded anew only when it did.
func (s *Server) authStatus(w http.ResponseWriter, r *http.Request) error {
	status, err := s.Broker.AuthStatus(r.Context())
	if err != nil {
		return err
	}
	last := s.status.Load()
	if last == nil || !equal(last.AuthStatus, status) {
		if last, err = s.encodeStatus(status); err != nil {
			return err
		}
		s.status.Store(last)
	}
	writeBody(w, typeCompatJSON, http.StatusOK, last.body)
	return nil
}

func (s *Server) encodeStatus(status api.AuthStatus) (*writtenStatus, error) {
	// Of its own, whatever the broker does with its lists.
	written := &writtenStatus{AuthStatus: api.AuthStatus{
		Providers:                    slices.Clone(status.Providers),
		PendingDeviceFlows:           slices.Clone(status.PendingDeviceFlows),
		SupportedDeviceFlowProviders: slices.Clone(status.SupportedDeviceFlowProviders),
	}}
	status.V = 1
	status.WorkspaceCwd = s.Workspace
	status.Providers = list(status.Providers)
	status.PendingDeviceFlows = list(status.PendingDeviceFlows)
	status.SupportedDeviceFlowProviders = list(status.SupportedDeviceFlowProviders)
	body, err := encode(status)
	written.body = body
	return written, err
}

// equal reports whether a and b tell the same, but for what the server fills in.
func equal(a, b api.AuthStatus) bool {
	return slices.Equal(a.Providers, b.Providers) && slices.Equal(a.PendingDeviceFlows, b.PendingDeviceFlows) &&
		slices.Equal(a.SupportedDeviceFlowProviders, b.SupportedDeviceFlowProviders)
}

// list makes a missing list an empty one, which JSON writes as [].
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
