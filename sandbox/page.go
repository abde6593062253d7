package sandbox

import (
	_ "embed" // for the style sheet
	"errors"
	"net/http"
	"net/url"
	"time"
)

//go:embed sandbox.css
var styleSheet []byte

const stylePath = "/assets/sandbox.css"

// page is where a person enters or confirms a user code and decides (RFC 8628
// section 3.3). A GET only ever looks; a POST decides.
func (s *Server) page(c *call) answer {
	now, from := time.Now(), attemptKey(c.r)
	typed := c.get("user_code")
	switch {
	case c.problem != nil:
		return s.enterPage(c, http.StatusBadRequest, "That was not understood. Please enter the code again.").as(errInvalidRequest)
	case typed == "":
		return s.enterPage(c, http.StatusOK, "").as("asked")
	case !s.attempts.allowed(from, now):
		return s.enterPage(c, http.StatusTooManyRequests, "Too many wrong codes. Please wait a minute, then try again.").
			with("Retry-After", "60").as("rate_limited")
	case c.r.Method == http.MethodPost && !s.ownForm(c, purposeDevice(typed)):
		return s.foreignForm(c)
	case c.r.Method != http.MethodPost:
		return s.confirmPage(c, typed)
	case c.get("decision") == "approve":
		return s.decidePage(c, s.Approve(typed, ""), "approved", "You are done",
			"The login was approved. You can close this page and go back to the device you started from.")
	case c.get("decision") == "deny":
		return s.decidePage(c, s.Deny(typed), "denied", "Denied",
			"The login was denied. Nobody was given access. You can close this page.")
	}
	return s.confirmPage(c, typed)
}

// confirmPage shows what a user code stands for and asks for a decision.
func (s *Server) confirmPage(c *call, typed string) answer {
	s.mu.Lock()
	d, err := s.undecidedLocked(typed)
	if err != nil {
		s.mu.Unlock()
		return s.decidePage(c, err, "", "", "")
	}
	view := decideView{UserCode: d.userCode, Client: d.client, Scopes: scopeViews(d.scopes), Started: d.context}
	s.mu.Unlock()

	token := s.formToken(c, purposeDevice(view.UserCode))
	view.Action = s.path(s.dialect.pagePath)
	view.Hidden = []field{{"user_code", view.UserCode}, {"csrf", token}}
	return s.decisionPage(c, view).as("shown")
}

// decidePage tells how a decision went.
func (s *Server) decidePage(c *call, err error, outcome, title, text string) answer {
	switch {
	case errors.Is(err, ErrDecided):
		return s.message(c, http.StatusConflict, "Already decided",
			"This code was used before. If that was not you, start the login again on your device.").as("already_decided")
	case err != nil:
		s.attempts.wrong(attemptKey(c.r), time.Now())
		return s.enterPage(c, http.StatusNotFound,
			"No login is waiting for this code. Check it on your device: it may be mistyped, or too old.").as("unknown_code")
	}
	return s.message(c, http.StatusOK, title, text).as(outcome)
}

// consentPage asks for a decision in the authorization code grant. The request
// travels through the form as it came and is checked again when it returns.
func (s *Server) consentPage(c *call, req authorizationRequest) answer {
	token := s.formToken(c, purposeAuthorize(c.form))
	view := decideView{
		Client: req.client.ID, Scopes: scopeViews(req.scopes), Action: s.path("/authorize"), Return: req.redirect,
		Started: req.started, Hidden: []field{{"csrf", token}},
	}
	for _, name := range authorizeParameters {
		if c.form.Has(name) {
			view.Hidden = append(view.Hidden, field{name, c.get(name)})
		}
	}
	a := s.decisionPage(c, view).as("shown")
	// Browsers hold the redirect after a form to form-action as well.
	if u, err := url.Parse(req.redirect); err == nil && u.Scheme != "" {
		a = a.with("Content-Security-Policy", contentPolicy+" "+u.Scheme+":")
	}
	return a
}

func (s *Server) decisionPage(c *call, view decideView) answer {
	view.Subject = s.cfg.subject()
	return s.render(c, http.StatusOK, view)
}

func (s *Server) enterPage(c *call, status int, problem string) answer {
	return s.render(c, status, enterView{s.path(s.dialect.pagePath), problem})
}

func (s *Server) message(c *call, status int, title, text string) answer {
	return s.render(c, status, messageView{title, text})
}

func (s *Server) foreignForm(c *call) answer {
	return s.message(c, http.StatusForbidden, "Not accepted",
		"This decision did not come from the page you were shown. Open the link again and decide there.").as("csrf_refused")
}

// contentPolicy allows our style sheet and forms, and nothing else. It ends in
// form-action so that a source can be added.
const contentPolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

func (s *Server) render(c *call, status int, v view) answer {
	var content markup
	v.write(&content)
	body := content.wrap(s.path(stylePath), v.title())
	a := noStore(answer{status: status, body: body}).typed("text/html; charset=utf-8").
		with("Content-Security-Policy", contentPolicy).
		with("X-Content-Type-Options", "nosniff").
		with("X-Frame-Options", "DENY").
		// "no-referrer" would turn the Origin of our own forms into "null".
		with("Referrer-Policy", "same-origin")
	if c.newSession != nil {
		a = a.with("Set-Cookie", c.newSession.String())
	}
	return a
}

func (s *Server) style() answer {
	return answer{status: http.StatusOK, body: styleSheet}.typed("text/css; charset=utf-8").
		with("X-Content-Type-Options", "nosniff").with("Cache-Control", "max-age=300")
}

func scopeViews(scopes []string) []scopeView {
	views := make([]scopeView, len(scopes))
	for i, scope := range scopes {
		views[i] = scopeView{scope, scopeMeaning(scope)}
	}
	return views
}

// scopeMeaning explains the scopes OpenID Connect defines (Core section 5.4).
func scopeMeaning(scope string) string {
	switch scope {
	case "openid":
		return "know who you are"
	case "profile":
		return "see your name"
	case "email":
		return "see your email address"
	case "offline_access":
		return "stay logged in while you are away"
	}
	return ""
}
