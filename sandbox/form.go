package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// The pages' forms are protected twice against other sites: a hidden token
// bound to a cookie and to what is being decided, and the browser's own word
// about where a request came from.

const sessionCookie = "sandbox_session"

// authorizeParameters are what the consent form carries through.
var authorizeParameters = []string{"response_type", "client_id", "redirect_uri", "scope", "state",
	"code_challenge", "code_challenge_method", "nonce", "usher_context"}

func purposeDevice(userCode string) string { return "device\x00" + canonicalUserCode(userCode) }

func purposeAuthorize(form url.Values) string {
	shown := url.Values{}
	for _, name := range authorizeParameters {
		shown.Set(name, form.Get(name))
	}
	return "authorize\x00" + shown.Encode()
}

// formToken returns the token of a form. A browser without a session gets one
// with the answer to c.
func (s *Server) formToken(c *call, purpose string) string {
	session, ok := sessionOf(c.r)
	if !ok {
		session = randomText()
		c.newSession = &http.Cookie{
			Name: sessionCookie, Value: session, Path: "/", HttpOnly: true,
			// Lax: the page is opened by a link from elsewhere, and must find
			// the cookie of a tab that is open already.
			SameSite: http.SameSiteLaxMode,
			Secure:   strings.HasPrefix(s.Issuer(), "https:"),
		}
	}
	return s.sign(session, purpose)
}

// ownForm reports whether a POST comes from a form this server made for the
// same browser and the same decision.
func (s *Server) ownForm(c *call, purpose string) bool {
	session, ok := sessionOf(c.r)
	return ok && http.NewCrossOriginProtection().Check(c.r) == nil &&
		hmac.Equal([]byte(c.get("csrf")), []byte(s.sign(session, purpose)))
}

func sessionOf(r *http.Request) (string, bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" {
		return "", false
	}
	return cookie.Value, true
}

func (s *Server) sign(session, purpose string) string {
	mac := hmac.New(sha256.New, s.formKey)
	mac.Write([]byte(session + "\x00" + purpose))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// attempts limits wrong user codes per peer (RFC 8628 section 5.1): at ten a
// minute, guessing one of a handful of live codes takes centuries.
type attempts struct {
	mu    sync.Mutex
	peers map[string]window // peer -> its current minute
}

type window struct {
	start time.Time
	wrong int
}

const (
	maxWrongCodes = 10
	attemptWindow = time.Minute
	// maxPeers bounds the memory; beyond it all are forgotten at once.
	maxPeers = 10000
)

func attemptKey(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func (a *attempts) allowed(peer string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.peers[peer]
	return now.Sub(w.start) >= attemptWindow || w.wrong < maxWrongCodes
}

func (a *attempts) wrong(peer string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.peers == nil || len(a.peers) >= maxPeers {
		a.peers = map[string]window{}
	}
	w := a.peers[peer]
	if now.Sub(w.start) >= attemptWindow {
		w = window{start: now}
	}
	w.wrong++
	a.peers[peer] = w
}
