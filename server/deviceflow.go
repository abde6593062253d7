package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/usherauth/usher/api"
)

// The codes that only the compatible surface has.
const (
	codeUnsupportedProvider = api.CompatUnsupportedProvider
	codeInvalidClientID     = api.CompatInvalidClientID
	codeTooManyFlows        = api.CompatTooManyFlows
	codeFlowNotFound        = api.CompatFlowNotFound
	codeUpstream            = api.KindUpstreamError
)

// startDeviceFlow is POST /workspace/auth/device-flow.
func (s *Server) startDeviceFlow(w http.ResponseWriter, r *http.Request) error {
	fields, err := compatFields(w, r)
	if err != nil {
		return err
	}
	var provider string
	if err := json.Unmarshal(fields["providerId"], &provider); err != nil || provider == "" {
		return compat(http.StatusBadRequest, string(api.CodeInvalidRequest), "`providerId` must be a non-empty string")
	}
	client, err := clientID(r)
	if err != nil {
		// The contract looks at the provider first.
		if status, statusErr := s.Broker.AuthStatus(r.Context()); statusErr == nil && !supports(status, provider) {
			return unsupported(status, provider)
		}
		return err
	}
	flow, fresh, err := s.Broker.StartDeviceFlow(r.Context(), api.StartLogin{Key: provider, ClientID: client, Trace: trace(r)})
	switch {
	case err != nil:
		return s.startError(r, provider, err)
	case fresh:
		return writeJSON(w, r, http.StatusCreated, flow)
	default:
		return writeJSON(w, r, http.StatusOK, flow)
	}
}

// startError is why a device flow did not start, in the words of the contract.
// Nothing in it is the provider's own text.
func (s *Server) startError(r *http.Request, provider string, err error) error {
	var e *api.Error
	if !errors.As(err, &e) {
		return err
	}
	slow := compat(http.StatusBadGateway, codeUpstream, "device-flow start timeout (upstream IdP unresponsive)")
	switch e.Code {
	case api.CodeUnknownProvider, api.CodeInvalidKey, api.CodeUnsupportedMethod, api.CodeProviderIncomplete:
		status, statusErr := s.Broker.AuthStatus(r.Context())
		if statusErr != nil {
			return statusErr
		}
		return unsupported(status, provider)
	case api.CodeTooManyLogins:
		return compat(http.StatusConflict, codeTooManyFlows,
			"Too many active device-flow attempts. Cancel one of the existing flows or wait for them to expire.")
	case api.CodeProviderUnreachable:
		if e.Kind == api.KindTimeout {
			return slow
		}
		return compat(http.StatusBadGateway, codeUpstream, api.IdPName(provider)+" device authorization request failed")
	case api.CodeProviderRefused:
		return compat(http.StatusBadGateway, codeUpstream, api.IdPName(provider)+" rejected the device authorization request")
	case api.CodeTimeout:
		return slow
	default:
		return err
	}
}

// getDeviceFlow is GET /workspace/auth/device-flow/{id}. By the contract an
// unknown flow is told before an invalid client id.
func (s *Server) getDeviceFlow(w http.ResponseWriter, r *http.Request) error {
	client, badClient := clientID(r)
	flow, err := s.Broker.DeviceFlow(r.Context(), r.PathValue("id"), client)
	switch {
	case err != nil:
		return flowError(r, err)
	case badClient != nil:
		return badClient
	default:
		return writeJSON(w, r, http.StatusOK, flow)
	}
}

// cancelDeviceFlow is DELETE /workspace/auth/device-flow/{id}.
func (s *Server) cancelDeviceFlow(w http.ResponseWriter, r *http.Request) error {
	client, err := clientID(r)
	if err != nil {
		return err
	}
	if err := s.Broker.CancelDeviceFlow(r.Context(), r.PathValue("id"), client); err != nil {
		return flowError(r, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func flowError(r *http.Request, err error) error {
	if errors.Is(err, api.ErrLoginNotFound) {
		return compat(http.StatusNotFound, codeFlowNotFound, "Device-flow "+r.PathValue("id")+" not found")
	}
	return err
}

// supports reports whether a login for the key providerID can be started.
func supports(status api.AuthStatus, providerID string) bool {
	provider, _, _ := strings.Cut(providerID, "/")
	for _, p := range status.SupportedDeviceFlowProviders {
		if p == provider || p == providerID {
			return true
		}
	}
	return false
}

func unsupported(status api.AuthStatus, providerID string) error {
	err := compat(http.StatusBadRequest, codeUnsupportedProvider, "Unsupported device-flow provider: "+providerID)
	err.body.SupportedProviders = status.SupportedDeviceFlowProviders
	return err
}

func compat(status int, code, message string) *compatError {
	return &compatError{status, api.CompatError{Error: message, Code: code}}
}
