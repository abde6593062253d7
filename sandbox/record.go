package sandbox

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Record is what the server saw since it started or since ResetRecord.
type Record struct {
	// Since is when the record began.
	Since time.Time `json:"since"`
	// Counts is how many requests arrived, by endpoint: discovery, jwks,
	// device, authorize, token.device, token.code, token.refresh, token (no or
	// an unknown grant type), revoke, userinfo, resource, page. See Count.
	Counts map[string]int `json:"counts"`

	DeviceAuthorizations int `json:"device_authorizations"` // started
	EarlyPolls           int `json:"early_polls"`           // answered slow_down
	CodesReused          int `json:"codes_reused"`          // spent device and authorization codes presented
	RefreshRequests      int `json:"refresh_requests"`      // that arrived
	RefreshesGranted     int `json:"refreshes_granted"`     // that were processed and granted, answered or not
	ReuseSeen            int `json:"reuse_seen"`            // spent refresh tokens presented
	FamiliesRevoked      int `json:"families_revoked"`      // by reuse or revocation
	Revocations          int `json:"revocations"`           // revocations of known tokens
	// Overlap is the most refresh requests of one family ever in flight
	// together; a client that keeps its refreshes apart never exceeds 1.
	Overlap int `json:"overlap"`

	// Requests are the last 10000 requests in order of arrival.
	Requests []Request `json:"requests"`
	// Forgotten is how many older requests are no longer listed.
	Forgotten int `json:"forgotten,omitempty"`
	// Secrets are the last 10000 secrets issued. Only RecordWithSecrets fills it.
	Secrets []Secret `json:"secrets,omitempty"`
}

// Count is the number of requests to an endpoint; "token" sums its grants and
// "*" everything.
func (r Record) Count(endpoint string) (n int) {
	for name, count := range r.Counts {
		if matches(endpoint, name) || endpoint == "*" {
			n += count
		}
	}
	return n
}

// Request is one request of a Record.
type Request struct {
	Endpoint string `json:"endpoint"`
	// Number counts the requests to this endpoint, from 1.
	Number    int       `json:"number"`
	Time      time.Time `json:"time"` // of arrival
	GrantType string    `json:"grant_type,omitempty"`
	ClientID  string    `json:"client_id,omitempty"`
	// Outcome is what processing came to: issued, repeated (the tokens issued
	// before, within Config.CodeGrace), ok, revoked, an OAuth error code and the
	// like; not_processed when a fault kept the request from
	// being processed; empty while it still is.
	Outcome string `json:"outcome"`
	// Status is the HTTP status answered; 0 means the connection was closed.
	Status int `json:"status"`
	// Early reports a poll that came before its interval had passed.
	Early bool `json:"early,omitempty"`
	// Reuse reports that a spent code or refresh token was presented.
	Reuse bool `json:"reuse,omitempty"`
	// Fault reports that the fault plan had a hand in the answer.
	Fault bool `json:"fault,omitempty"`
	// Raw is the request itself. Only RecordWithSecrets fills it.
	Raw *RawRequest `json:"raw,omitempty"`
}

// RawRequest is a request as it arrived, secrets included.
type RawRequest struct {
	Method string      `json:"method"`
	Target string      `json:"target"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
}

// Secret is one secret the server issued.
type Secret struct {
	// Kind is device_code, authorization_code, access_token, refresh_token,
	// id_token or id_token_jti.
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// Record returns a copy of the record, without secrets.
func (s *Server) Record() Record { return s.record.snapshot(false) }

// RecordWithSecrets returns a copy of the record with every secret issued and
// every raw request; it is for leak tests and for tests of request bytes.
func (s *Server) RecordWithSecrets() Record { return s.record.snapshot(true) }

// ResetRecord starts an empty record. Requests in flight stay in the old one.
func (s *Server) ResetRecord() { s.record.reset() }

// recordLimit bounds requests and secrets remembered.
const recordLimit = 10000

// recorder holds the record being written.
type recorder struct {
	mu  sync.Mutex
	now *ledger
}

// ledger is one record while it is written; reset replaces it, so that a
// request in flight finishes in the one it began in.
type ledger struct {
	Record
	requests []*Request
}

// entry is one request's line in its ledger.
type entry struct {
	mu     *sync.Mutex
	ledger *ledger
	line   *Request
}

func (r *recorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = &ledger{Record: Record{Since: time.Now(), Counts: map[string]int{}}}
}

func (r *recorder) begin(c *call) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.Counts[c.endpoint]++
	if c.endpoint == endpointTokenRefresh {
		r.now.RefreshRequests++
	}
	line := &Request{
		Endpoint: c.endpoint, Number: r.now.Counts[c.endpoint], Time: time.Now(),
		GrantType: c.get("grant_type"), ClientID: clientIDOf(c),
		Raw: &RawRequest{c.r.Method, c.r.URL.RequestURI(), c.r.Header.Clone(), string(c.body)},
	}
	r.now.requests = append(r.now.requests, line)
	if extra := len(r.now.requests) - recordLimit; extra > 0 {
		r.now.requests = r.now.requests[extra:]
		r.now.Forgotten += extra
	}
	return &entry{&r.mu, r.now, line}
}

func (e *entry) number() int { return e.line.Number }

// tally changes the record's counts.
func (e *entry) tally(change func(*Record)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.ledger.Record)
}

func (e *entry) issued(kind, value string) {
	e.tally(func(r *Record) {
		r.Secrets = append(r.Secrets, Secret{kind, value})
		r.Secrets = r.Secrets[max(0, len(r.Secrets)-recordLimit):]
	})
}

func (e *entry) finish(a answer, fault *Action) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.line.Outcome, e.line.Status = a.outcome, a.status
	e.line.Early, e.line.Reuse, e.line.Fault = a.early, a.reuse, fault != nil
}

func (r *recorder) snapshot(secrets bool) Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.now.Record
	out.Counts = maps.Clone(out.Counts)
	out.Requests = make([]Request, len(r.now.requests))
	for i, line := range r.now.requests {
		out.Requests[i] = *line
		if !secrets {
			out.Requests[i].Raw = nil
		}
	}
	out.Secrets = nil
	if secrets {
		out.Secrets = append([]Secret{}, r.now.Secrets...)
	}
	return out
}

// matches reports whether a pattern of a fault rule or of Count covers an
// endpoint; "token" covers all grants.
func matches(pattern, endpoint string) bool {
	return pattern == endpoint || pattern == endpointToken && strings.HasPrefix(endpoint, "token.")
}
