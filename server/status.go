package server

import (
	"net/http"

	"github.com/usherauth/usher/api"
)

// features is what /capabilities advertises: only what is served.
var features = []string{"health", "capabilities", "auth_device_flow", "client_identity"}

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
		Features:         features,
		ModelServices:    []string{},
		WorkspaceCwd:     s.Workspace,
		Transports:       []string{"rest"},
	})
}

// authStatus is GET /workspace/auth/status.
func (s *Server) authStatus(w http.ResponseWriter, r *http.Request) error {
	status, err := s.Broker.AuthStatus(r.Context())
	if err != nil {
		return err
	}
	status.V = 1
	status.WorkspaceCwd = s.Workspace
	status.Providers = list(status.Providers)
	status.PendingDeviceFlows = list(status.PendingDeviceFlows)
	status.SupportedDeviceFlowProviders = list(status.SupportedDeviceFlowProviders)
	return writeJSON(w, r, http.StatusOK, status)
}

// list makes a missing list an empty one, which JSON writes as [].
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
