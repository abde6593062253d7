package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// state is where a device authorization stands.
type state int

const (
	pending state = iota
	approved
	denied
	redeemed
)

// device is one device authorization (RFC 8628 section 3.2), from its start to
// its redemption. Its changing fields are guarded by Server.mu.
type device struct {
	code      string
	userCode  string // as shown, with the dash
	client    string
	scopes    []string
	challenge string // PKCE; empty when the client sent none
	context   *startContext

	expires  time.Time
	interval time.Duration
	lastPoll time.Time // zero before the first
	polls    int       // the patient ones
	state    state
	subject  string // who approved

	redeemedAt time.Time
	granted    answer // what redeemed it
}

// startContext is what a client may tell about where a login was started, in
// the parameter usher_context of its authorization request, by either grant, so
// that the page can show it. It is the client's word only, and the page says so.
type startContext struct {
	Host    string `json:"host"`
	User    string `json:"user"`
	Started string `json:"started"`
}

const maxContext = 1024

// parseContext reads a usher_context parameter; an empty one is nil.
func parseContext(raw string) (ctx *startContext, ok bool) {
	if raw == "" {
		return nil, true
	}
	if len(raw) > maxContext || json.Unmarshal([]byte(raw), &ctx) != nil {
		return nil, false
	}
	return ctx, true
}

// deviceAnswer is the device authorization response (RFC 8628 section 3.2).
type deviceAnswer struct {
	DeviceCode              string `json:"device_code"`
	UserCode                string `json:"user_code"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete,omitempty"`
	ExpiresIn               int    `json:"expires_in"`
	Interval                int    `json:"interval,omitempty"`
}

// startDevice is the device authorization endpoint (RFC 8628 section 3.1).
func (s *Server) startDevice(c *call) answer {
	client, refused := s.authenticate(c)
	if refused != nil {
		return *refused
	}
	scopes, ok := s.scopesOf(client, c.get("scope"))
	if !ok {
		return s.refuse(c, errInvalidScope, "the scope is malformed or not for this client")
	}
	if problem := checkChallenge(c.form, s.dialect.requirePKCE); problem != "" {
		return s.refuse(c, errInvalidRequest, problem)
	}
	started, ok := parseContext(c.get("usher_context"))
	if !ok {
		return s.refuse(c, errInvalidRequest, "usher_context is malformed")
	}

	d := &device{
		code:      s.newSecret(c, "device_code", "dc_"),
		client:    client.ID,
		scopes:    scopes,
		challenge: c.get("code_challenge"),
		context:   started,
		expires:   time.Now().Add(s.cfg.codeLifetime()),
		interval:  s.cfg.interval(),
	}
	s.addDevice(d)
	c.device = d
	c.entry.tally(func(r *Record) { r.DeviceAuthorizations++ })

	page := s.URL(s.dialect.pagePath)
	a := deviceAnswer{
		DeviceCode: d.code, UserCode: d.userCode, VerificationURI: page,
		ExpiresIn: int(s.cfg.codeLifetime() / time.Second),
	}
	if s.dialect.completeURI {
		a.VerificationURIComplete = page + "?" + url.Values{"user_code": {d.userCode}}.Encode()
	}
	if s.dialect.tellInterval {
		a.Interval = int(d.interval / time.Second)
	}
	return s.dialect.encode(c.r, http.StatusOK, a).as("issued")
}

// addDevice gives d a user code of its own and remembers it.
func (s *Server) addDevice(d *device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked(time.Now())
	for d.userCode == "" || s.users[canonicalUserCode(d.userCode)] != nil {
		d.userCode = newUserCode()
	}
	s.devices[d.code] = d
	s.users[canonicalUserCode(d.userCode)] = d
}

// userCodeLetters has no vowels, so that no code is a word, and nothing that
// reads like something else (RFC 8628 section 6.1). Eight of them are 34 bits.
const userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"

func newUserCode() string {
	code := make([]byte, 0, 9)
	var b [1]byte
	for len(code) < 9 {
		if len(code) == 4 {
			code = append(code, '-')
		}
		rand.Read(b[:])
		// 240 is the largest multiple of 20 in a byte: beyond it some letters
		// would come more often than others.
		if b[0] < 240 {
			code = append(code, userCodeLetters[b[0]%20])
		}
	}
	return string(code)
}

// canonicalUserCode is a user code as typed, without case, dashes and spaces.
func canonicalUserCode(typed string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, typed)
}

// redeemDevice answers one poll (RFC 8628 sections 3.4 and 3.5).
func (s *Server) redeemDevice(c *call, client Client) answer {
	code := c.get("device_code")
	if code == "" {
		return s.refuse(c, errInvalidRequest, "device_code is missing")
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.devices[code]
	if d == nil || d.client != client.ID {
		return s.refuse(c, errInvalidGrant, "unknown device code")
	}
	if !verifies(d.challenge, c.get("code_verifier")) {
		return s.refuse(c, errInvalidGrant, "the code verifier does not match")
	}
	if d.state == redeemed && !s.inCodeGrace(d, now) {
		c.entry.tally(func(r *Record) { r.CodesReused++ })
		a := s.refuse(c, errInvalidGrant, "the device code was used")
		a.reuse = true
		return a
	}
	if !now.Before(d.expires) {
		return s.refuse(c, errExpiredToken, "the device code has expired")
	}
	if d.tooEarlyLocked(now) {
		c.entry.tally(func(r *Record) { r.EarlyPolls++ })
		a := s.slowDownLocked(c, d)
		a.early = true
		return a
	}
	s.decideByModeLocked(d)
	switch d.state {
	case denied:
		return s.refuse(c, errAccessDenied, "the person said no")
	case pending:
		return s.refuse(c, errAuthorizationPending, "nobody has decided yet")
	case redeemed:
		return d.granted.as("repeated")
	}
	f := &family{client: d.client, scopes: d.scopes, subject: d.subject}
	d.state, d.redeemedAt = redeemed, now
	d.granted = s.grantLocked(c, f, f.scopes, s.newRefreshLocked(c, f), "")
	return d.granted
}

// inCodeGrace reports whether a redeemed device code is still answered as it
// was then: the client that never saw the answer may ask again.
func (s *Server) inCodeGrace(d *device, now time.Time) bool {
	return now.Sub(d.redeemedAt) < s.cfg.CodeGrace
}

// tooEarlyLocked notes a poll and reports whether it came before the interval
// had passed since the one before. The first poll may come at once: the
// interval lies between polling requests (RFC 8628 section 3.2).
func (d *device) tooEarlyLocked(now time.Time) bool {
	early := !d.lastPoll.IsZero() && now.Sub(d.lastPoll) < d.interval
	d.lastPoll = now
	if !early {
		d.polls++
	}
	return early
}

// slowDownStep is what slow_down adds to the interval, for good (RFC 8628 section 3.5).
const slowDownStep = 5 * time.Second

func (s *Server) slowDownLocked(c *call, d *device) answer {
	d.interval += slowDownStep
	e := oauthError{Error: errSlowDown, Description: "polled too often"}
	if s.dialect.slowDownTells {
		e.Interval = int(d.interval / time.Second)
	}
	return s.dialect.encode(c.r, s.dialect.errorStatus(errSlowDown), e).as(errSlowDown)
}

// decideByModeLocked decides a pending authorization in the modes that do so
// without a person.
func (s *Server) decideByModeLocked(d *device) {
	if d.state != pending || d.polls <= s.cfg.pollsBeforeDecision() {
		return
	}
	switch s.cfg.approve() {
	case ApproveAuto:
		d.state, d.subject = approved, s.cfg.subject()
	case ApproveDeny:
		d.state = denied
	}
}
