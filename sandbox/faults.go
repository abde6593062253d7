package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Faults is a fault plan: what to do wrong, where, and at which call. In JSON
// it is a list of rules:
//
//	[{"endpoint": "token.refresh", "calls": [1], "do": {"drop": "after"}},
//	 {"endpoint": "revoke", "do": {"status": 500, "body": "no"}}]
//
// The first rule that covers a request and fires at its call number decides;
// an honest answer is given where none does.
type Faults []Rule

// Rule is one line of a fault plan.
type Rule struct {
	// Endpoint is discovery, jwks, device, authorize, token, token.device,
	// token.code, token.refresh, revoke, userinfo, resource, or "*" for all
	// of them. "token" covers its grants.
	Endpoint string `json:"endpoint"`
	// Calls are the call numbers at which the rule fires, from 1, counting
	// the requests it covers since the plan was installed. Not together with
	// From, To and Every.
	Calls []int `json:"calls,omitempty"`
	// From and To bound the call numbers. 0: from the first, without end.
	From int `json:"from,omitempty"`
	To   int `json:"to,omitempty"`
	// Every fires at From and at each Every-th call after it. 0: at each.
	Every int `json:"every,omitempty"`
	// Do is what happens.
	Do Action `json:"do"`
}

// Action is one misbehaviour. Members combine as far as they make sense: first
// comes the delay, then the request is processed unless a raw answer replaces
// it, then the answer is changed, and then it leaves, whole or not.
type Action struct {
	// DelayMS waits before processing. A client that gives up meanwhile is
	// not processed.
	DelayMS int `json:"delay_ms,omitempty"`
	// AnswerDelayMS waits between processing and answering.
	AnswerDelayMS int `json:"answer_delay_ms,omitempty"`
	// Drop closes the connection: "before" without processing, "after"
	// having processed and without an answer, "mid" after half the body.
	Drop string `json:"drop,omitempty"`

	// Status, Body, BodyBase64, OAuthError, Redirect and Repeat make a raw
	// answer; the request is not processed unless Process is set. Status
	// defaults to 200.
	Status     int       `json:"status,omitempty"`
	Body       string    `json:"body,omitempty"`
	BodyBase64 []byte    `json:"body_base64,omitempty"` // instead of Body: any bytes
	OAuthError string    `json:"oauth_error,omitempty"` // an error answer with this code, in the dialect's form
	Redirect   *Redirect `json:"redirect,omitempty"`
	Repeat     *Repeat   `json:"repeat,omitempty"` // follows Body
	Process    bool      `json:"process,omitempty"`

	// SlowDown answers slow_down to a poll of a known device code, and raises
	// its interval as an honest slow_down does. For token.device.
	SlowDown bool `json:"slow_down,omitempty"`
	// Deny denies the device authorization that is started or polled. For
	// device and token.device.
	Deny bool `json:"deny,omitempty"`

	// Set replaces or adds members of the JSON object answered, null
	// included; Remove takes members out. Of a redirect they do so with its
	// parameters: iss, code, error and the like.
	Set    map[string]json.RawMessage `json:"set,omitempty"`
	Remove []string                   `json:"remove,omitempty"`
	// ContentType and Headers replace headers of the answer; Headers takes a
	// text or a list of texts per name. RetryAfter sets Retry-After, in
	// seconds.
	ContentType string  `json:"content_type,omitempty"`
	Headers     Headers `json:"headers,omitempty"`
	RetryAfter  int     `json:"retry_after,omitempty"`
	// TruncateAt cuts the body after so many bytes and says nothing.
	TruncateAt *int `json:"truncate_at,omitempty"`
	// Gzip compresses the body, asked for or not.
	Gzip bool `json:"gzip,omitempty"`
	// TrickleMS waits before each byte of the body.
	TrickleMS int `json:"trickle_ms,omitempty"`
}

// Redirect is a redirect answer.
type Redirect struct {
	Status   int    `json:"status"` // 0: 302
	Location string `json:"location"`
}

// Repeat is a text many times over, for bodies too large to write down.
type Repeat struct {
	Text  string `json:"text"`
	Times int    `json:"times"` // negative: until the client hangs up
}

// Headers are header values by name.
type Headers map[string][]string

// UnmarshalJSON takes a text or a list of texts for each name.
func (h *Headers) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*h = Headers{}
	for name, value := range raw {
		var one string
		if json.Unmarshal(value, &one) == nil {
			(*h)[name] = []string{one}
			continue
		}
		var many []string
		if err := json.Unmarshal(value, &many); err != nil {
			return fmt.Errorf("header %q: want a text or a list of texts", name)
		}
		(*h)[name] = many
	}
	return nil
}

// ParseFaults reads a fault plan from JSON. An unknown field is an error that
// names it, and so is a rule that could never do anything.
func ParseFaults(data []byte) (Faults, error) {
	var plan Faults
	if err := decodeStrict(data, &plan); err != nil {
		return nil, fmt.Errorf("parsing fault plan: %w", err)
	}
	if err := plan.validate(); err != nil {
		return nil, err
	}
	return plan, nil
}

// SetFaults replaces the fault plan and starts its call numbers at 1. A plan
// with a mistake changes nothing.
func (s *Server) SetFaults(plan Faults) error {
	if err := plan.validate(); err != nil {
		return err
	}
	s.faults.replace(plan)
	return nil
}

// injector holds the plan in force.
type injector struct {
	mu    sync.Mutex
	plan  Faults
	calls []int // requests each rule has covered
}

func (in *injector) replace(plan Faults) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.plan, in.calls = slices.Clone(plan), make([]int, len(plan))
}

// next counts a request and returns what to do wrong with it, or nil. Every
// rule that covers the request counts it, whoever wins.
func (in *injector) next(endpoint string) *Action {
	in.mu.Lock()
	defer in.mu.Unlock()
	var found *Action
	for i, rule := range in.plan {
		if !matches(rule.Endpoint, endpoint) && (rule.Endpoint != "*" || endpoint == endpointPage) {
			continue
		}
		in.calls[i]++
		if found == nil && rule.fires(in.calls[i]) {
			found = &in.plan[i].Do
		}
	}
	return found
}

func milliseconds(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// redirectStatus is the status of a redirect answer.
func (r Redirect) redirectStatus() int { return orDefault(r.Status, http.StatusFound) }
