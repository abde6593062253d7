package sandbox

import (
	"net/http"
	"net/url"
	"time"
)

// authorizationCode is one authorization code. Guarded by Server.mu.
type authorizationCode struct {
	client    string
	redirect  string
	challenge string
	nonce     string
	scopes    []string
	subject   string
	expires   time.Time
	family    *family // what it was exchanged for; nil before
}

// authorizationRequest is a checked request to the authorization endpoint.
type authorizationRequest struct {
	client   Client
	redirect string
	state    string
	scopes   []string
	started  *startContext
}

// authorize is the authorization endpoint (RFC 6749 section 4.1.1), with PKCE
// required (RFC 7636) and the issuer in every redirect (RFC 9207).
func (s *Server) authorize(c *call) answer {
	req, refused := s.checkAuthorization(c)
	if refused != nil {
		return *refused
	}
	switch {
	case s.cfg.approve() == ApproveAuto:
		return s.redirectCode(c, req)
	case s.cfg.approve() == ApproveDeny:
		return s.redirectError(req, errAccessDenied, "the person said no")
	case c.r.Method != http.MethodPost:
		return s.consentPage(c, req)
	case !s.ownForm(c, purposeAuthorize(c.form)):
		return s.foreignForm(c)
	case c.get("decision") == "approve":
		return s.redirectCode(c, req)
	case c.get("decision") == "deny":
		return s.redirectError(req, errAccessDenied, "the person said no")
	}
	return s.consentPage(c, req)
}

// checkAuthorization checks client and redirect URI first: before they are
// known good, nothing may be sent anywhere (RFC 6749 section 4.1.2.1).
func (s *Server) checkAuthorization(c *call) (req authorizationRequest, refused *answer) {
	page := func(text string) (authorizationRequest, *answer) {
		a := s.message(c, http.StatusBadRequest, "This link does not work", text).as(errInvalidRequest)
		return req, &a
	}
	client, known := s.client(c.get("client_id"))
	switch {
	case c.problem != nil:
		return page("The request is malformed.")
	case !known:
		return page("The app that sent you here is not known to this server.")
	case !s.mayRedirect(client, c.get("redirect_uri")):
		return page("The app that sent you here asked to return to an address that is not registered for it.")
	}
	req = authorizationRequest{client: client, redirect: c.get("redirect_uri"), state: c.get("state")}

	back := func(code, description string) (authorizationRequest, *answer) {
		a := s.redirectError(req, code, description)
		return req, &a
	}
	if c.get("response_type") != "code" {
		return back(errUnsupportedResponse, "want response_type=code")
	}
	if problem := checkChallenge(c.form, true); problem != "" {
		return back(errInvalidRequest, problem)
	}
	var ok bool
	if req.scopes, ok = s.scopesOf(client, c.get("scope")); !ok {
		return back(errInvalidScope, "the scope is malformed or not for this client")
	}
	if req.started, ok = parseContext(c.get("usher_context")); !ok {
		return back(errInvalidRequest, "usher_context is malformed")
	}
	return req, nil
}

func (s *Server) redirectCode(c *call, req authorizationRequest) answer {
	code := s.newSecret(c, "authorization_code", "ac_")
	s.mu.Lock()
	s.codes[code] = &authorizationCode{
		client: req.client.ID, redirect: req.redirect, scopes: req.scopes,
		challenge: c.get("code_challenge"), nonce: c.get("nonce"),
		subject: s.cfg.subject(), expires: time.Now().Add(min(s.cfg.codeLifetime(), maxAuthorizationCode)),
	}
	s.mu.Unlock()
	return s.redirectBack(req, url.Values{"code": {code}}).as("issued")
}

func (s *Server) redirectError(req authorizationRequest, code, description string) answer {
	return s.redirectBack(req, url.Values{"error": {code}, "error_description": {description}}).as(code)
}

// redirectBack sends the browser to the client's redirect URI, whose own query
// is kept (RFC 6749 section 3.1.2). 303, so that a form is not sent along.
func (s *Server) redirectBack(req authorizationRequest, result url.Values) answer {
	result.Set("iss", s.Issuer())
	if req.state != "" {
		result.Set("state", req.state)
	}
	u, err := url.Parse(req.redirect)
	if err != nil {
		panic("sandbox: internal error: " + err.Error()) // it was checked
	}
	query := u.Query()
	for name, values := range result {
		query[name] = values
	}
	u.RawQuery = query.Encode()
	return noStore(answer{status: http.StatusSeeOther}).with("Location", u.String())
}

// redeemCode exchanges an authorization code (RFC 6749 section 4.1.3). A spent
// code revokes what it was exchanged for (section 4.1.2).
func (s *Server) redeemCode(c *call, client Client) answer {
	code := c.get("code")
	if code == "" {
		return s.refuse(c, errInvalidRequest, "code is missing")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.codes[code]
	switch {
	case a == nil || a.client != client.ID:
		return s.refuse(c, errInvalidGrant, "unknown code")
	case a.family != nil:
		c.entry.tally(func(r *Record) { r.CodesReused++ })
		s.revokeFamilyLocked(c, a.family)
		refused := s.refuse(c, errInvalidGrant, "the code was used")
		refused.reuse = true
		return refused
	case !time.Now().Before(a.expires):
		return s.refuse(c, errInvalidGrant, "the code has expired")
	case c.get("redirect_uri") != a.redirect:
		return s.refuse(c, errInvalidGrant, "the redirect URI is another one")
	case !verifies(a.challenge, c.get("code_verifier")):
		return s.refuse(c, errInvalidGrant, "the code verifier does not match")
	}
	a.family = &family{client: a.client, scopes: a.scopes, subject: a.subject}
	return s.grantLocked(c, a.family, a.scopes, s.newRefreshLocked(c, a.family), a.nonce)
}
