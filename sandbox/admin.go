package sandbox

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
)

// maxAdmin bounds an admin request; a fault plan may carry large bodies.
const maxAdmin = 8 << 20

// admin answers the routes below /_sandbox/. They are outside of record and
// fault plan: they are the test speaking, not the client under test.
func (s *Server) admin(w http.ResponseWriter, r *http.Request, path string) answer {
	if refused := s.adminGate(r); refused != nil {
		return *refused
	}
	if path == "/_sandbox/record" {
		if r.Method != http.MethodGet {
			return plainError(http.StatusMethodNotAllowed, "method not allowed").with("Allow", "GET")
		}
		return noStore(jsonAnswer(http.StatusOK, s.record.snapshot(r.URL.Query().Get("secrets") == "1")))
	}
	act, known := map[string]func([]byte) error{
		"/_sandbox/reset-record": func([]byte) error { s.ResetRecord(); return nil },
		"/_sandbox/faults":       s.adminFaults,
		"/_sandbox/approve":      s.adminApprove,
		"/_sandbox/deny":         s.adminDeny,
		"/_sandbox/expire":       s.adminExpire,
	}[path]
	if !known {
		return plainError(http.StatusNotFound, "no such path")
	}
	if r.Method != http.MethodPost {
		return plainError(http.StatusMethodNotAllowed, "method not allowed").with("Allow", "POST")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdmin))
	if err != nil {
		return plainError(http.StatusRequestEntityTooLarge, "reading request body: "+err.Error())
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); len(body) > 0 && (err != nil || t != "application/json") {
		return plainError(http.StatusUnsupportedMediaType, "want content type application/json")
	}
	switch err := act(body); {
	case errors.Is(err, ErrUnknownUserCode):
		return plainError(http.StatusNotFound, err.Error())
	case errors.Is(err, ErrDecided):
		return plainError(http.StatusConflict, err.Error())
	case err != nil:
		return plainError(http.StatusBadRequest, err.Error())
	}
	return jsonAnswer(http.StatusOK, map[string]bool{"ok": true})
}

// adminGate keeps web pages and other machines from the admin routes: a page
// of another site cannot avoid an Origin or Sec-Fetch-Site header, and one that
// rebinds its name to loopback cannot avoid its own Host.
func (s *Server) adminGate(r *http.Request) *answer {
	problem := ""
	site := r.Header.Get("Sec-Fetch-Site")
	switch {
	case r.Host != hostOf(s.Issuer()):
		problem = "the admin routes answer at the issuer's host only"
	case r.Header.Get("Origin") != "" || site != "" && site != "none" && site != "same-origin":
		problem = "the admin routes are not for web pages"
	case isRemote(r.RemoteAddr):
		problem = "the admin routes are for loopback peers only"
	default:
		return nil
	}
	a := plainError(http.StatusForbidden, problem)
	return &a
}

// isRemote reports whether addr is certainly another machine's; transports
// without addresses, such as pipes and unix sockets, are local.
func isRemote(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && !ip.IsLoopback()
}

func (s *Server) adminFaults(body []byte) error {
	plan, err := ParseFaults(body)
	if err != nil {
		return err
	}
	return s.SetFaults(plan)
}

func (s *Server) adminApprove(body []byte) error {
	var in struct {
		UserCode string `json:"user_code"`
		Subject  string `json:"subject"`
	}
	if err := decodeStrict(body, &in); err != nil {
		return fmt.Errorf("parsing approval: %w", err)
	}
	return s.Approve(in.UserCode, in.Subject)
}

func (s *Server) adminDeny(body []byte) error {
	var in struct {
		UserCode string `json:"user_code"`
	}
	if err := decodeStrict(body, &in); err != nil {
		return fmt.Errorf("parsing denial: %w", err)
	}
	return s.Deny(in.UserCode)
}

func (s *Server) adminExpire(body []byte) error {
	var in struct {
		AccessTokens  bool `json:"access_tokens"`
		RefreshTokens bool `json:"refresh_tokens"`
		DeviceCodes   bool `json:"device_codes"`
	}
	if err := decodeStrict(body, &in); err != nil {
		return fmt.Errorf("parsing expiry: %w", err)
	}
	if in.AccessTokens {
		s.ExpireAccessTokens()
	}
	if in.RefreshTokens {
		s.ExpireRefreshTokens()
	}
	if in.DeviceCodes {
		s.ExpireDeviceCodes()
	}
	return nil
}
