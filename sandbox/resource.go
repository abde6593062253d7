package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// resource is a protected resource: it tells a live access token what it is
// good for, and refuses any other (RFC 6750 section 3).
func (s *Server) resource(c *call) answer {
	t, refused := s.bearer(c)
	if refused != nil {
		return *refused
	}
	return noStore(jsonAnswer(http.StatusOK, struct {
		Subject  string `json:"sub"`
		Scope    string `json:"scope"`
		ClientID string `json:"client_id"`
	}{t.family.subject, strings.Join(t.scopes, " "), t.family.client}))
}

// userinfo is the userinfo endpoint (OpenID Connect Core section 5.3).
func (s *Server) userinfo(c *call) answer {
	t, refused := s.bearer(c)
	if refused != nil {
		return *refused
	}
	if !slices.Contains(t.scopes, "openid") {
		return challenge(errInsufficientScope)
	}
	claims := map[string]any{"sub": t.family.subject}
	if slices.Contains(t.scopes, "profile") {
		claims["name"] = "Sandbox User"
	}
	if slices.Contains(t.scopes, "email") {
		claims["email"], claims["email_verified"] = t.family.subject+"@sandbox.invalid", true
	}
	return noStore(jsonAnswer(http.StatusOK, claims))
}

// bearer finds the live access token of a request. Only the header counts,
// never body or query (RFC 6750 section 2).
func (s *Server) bearer(c *call) (*accessToken, *answer) {
	refused := func(code string) (*accessToken, *answer) {
		a := challenge(code)
		return nil, &a
	}
	scheme, value, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return refused("")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.access[strings.TrimSpace(value)]
	if t == nil || t.revoked || t.family.revoked || !t.expires.IsZero() && !time.Now().Before(t.expires) {
		return refused(errInvalidToken)
	}
	return t, nil
}

// challenge is the refusal of a protected resource. Without a code it answers
// a request that carried no token at all (RFC 6750 section 3.1).
func challenge(code string) answer {
	status, header, outcome := http.StatusUnauthorized, `Bearer realm="sandbox"`, "no_token"
	if code == errInsufficientScope {
		status = http.StatusForbidden
	}
	if code != "" {
		header, outcome = fmt.Sprintf(`%s, error=%q`, header, code), code
	}
	return noStore(jsonAnswer(status, oauthError{Error: outcome})).with("WWW-Authenticate", header).as(outcome)
}
