package server

import (
	"net/http"

	"github.com/usherauth/usher/api"
)

// listCredentials is GET /v1/credentials.
func (s *Server) listCredentials(w http.ResponseWriter, r *http.Request) error {
	credentials, err := s.Broker.Credentials(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, api.CredentialList{Credentials: list(credentials)})
}

// getCredential is GET /v1/credentials/{provider}/{account}.
func (s *Server) getCredential(w http.ResponseWriter, r *http.Request) error {
	credential, err := s.Broker.Credential(r.Context(), key(r))
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, credential)
}

// logout is DELETE /v1/credentials/{provider}/{account}. With
// ?keep_remote=true nothing is revoked at the provider.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	keep, err := flag(r.URL.Query(), "keep_remote")
	if err != nil {
		return err
	}
	done, err := s.Broker.Logout(r.Context(), api.LogoutRequest{Key: key(r), KeepRemote: keep})
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, done)
}

// key is the key of a path, which is always two segments there, in the form
// that people write, so that an error speaks of what was asked for.
func key(r *http.Request) string {
	if account := r.PathValue("account"); account != "default" {
		return r.PathValue("provider") + "/" + account
	}
	return r.PathValue("provider")
}

// token is POST /v1/token: an access token, refreshed first if need be.
func (s *Server) token(w http.ResponseWriter, r *http.Request) error {
	var req api.TokenRequest
	if err := decode(w, r, &req); err != nil {
		return err
	}
	if req.MinTTL < 0 {
		return api.Errorf(api.CodeInvalidRequest, "min_ttl must not be negative")
	}
	token, err := s.Broker.Token(r.Context(), req)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, token)
}

// listProviders is GET /v1/providers.
func (s *Server) listProviders(w http.ResponseWriter, r *http.Request) error {
	providers, err := s.Broker.Providers(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, api.ProviderList{Providers: list(providers)})
}
