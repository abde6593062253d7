package sandbox

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// outcomeNotProcessed is recorded for requests a fault kept from the handlers.
const outcomeNotProcessed = "not_processed"

// misbehave makes the answer to a call that a fault was planned for.
func (s *Server) misbehave(c *call, do *Action) answer {
	ctx := c.r.Context()
	if !pause(ctx, milliseconds(do.DelayMS)) || do.Drop == "before" {
		return answer{outcome: outcomeNotProcessed, hangUp: true}
	}
	a := s.replaced(c, do)
	if len(do.Set) > 0 || len(do.Remove) > 0 {
		a = edited(a, do)
	}
	if !pause(ctx, milliseconds(do.AnswerDelayMS)) || do.Drop == "after" {
		return answer{outcome: a.outcome, early: a.early, reuse: a.reuse, hangUp: true}
	}
	return a
}

// replaced is the honest answer or the one the fault puts in its place.
func (s *Server) replaced(c *call, do *Action) answer {
	switch {
	case do.SlowDown:
		if a, ok := s.lieSlowDown(c); ok {
			return a
		}
	case do.Deny && c.endpoint == endpointTokenDevice:
		s.denyCode(c.get("device_code"))
	}
	if !do.isRaw() {
		a := s.process(c)
		if do.Deny && c.device != nil {
			s.denyCode(c.device.code)
		}
		return a
	}
	outcome := answer{outcome: outcomeNotProcessed}
	if do.Process {
		outcome = s.process(c)
	}
	a := s.rawAnswer(c, do)
	a.outcome, a.early, a.reuse = outcome.outcome, outcome.early, outcome.reuse
	return a
}

func (s *Server) rawAnswer(c *call, do *Action) answer {
	switch {
	case do.Redirect != nil:
		return answer{status: do.Redirect.redirectStatus()}.with("Location", do.Redirect.Location)
	case do.OAuthError == "":
		a := answer{status: orDefault(do.Status, http.StatusOK), body: []byte(do.Body), repeat: do.Repeat}
		if do.BodyBase64 != nil {
			a.body = do.BodyBase64
		}
		return a.typed("application/json")
	case c.endpoint == endpointResource || c.endpoint == endpointUserinfo:
		a := challenge(do.OAuthError)
		a.status = orDefault(do.Status, a.status)
		return a
	}
	return s.dialect.encode(c.r, orDefault(do.Status, s.dialect.errorStatus(do.OAuthError)),
		oauthError{Error: do.OAuthError, Description: "as the fault plan asks"})
}

// lieSlowDown answers slow_down to a poll that was patient.
func (s *Server) lieSlowDown(c *call) (answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.devices[c.get("device_code")]
	if d == nil {
		return answer{}, false
	}
	early := d.tooEarlyLocked(time.Now())
	a := s.slowDownLocked(c, d)
	a.early = early
	if early {
		c.entry.tally(func(r *Record) { r.EarlyPolls++ })
	}
	return a, true
}

func (s *Server) denyCode(code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.devices[code]; d != nil && d.state != redeemed {
		d.state = denied
	}
}

// edited changes the members of an answer: those of a JSON object, or the
// parameters of a redirect. Any other answer stays as it is.
func edited(a answer, do *Action) answer {
	if location := a.header.Get("Location"); location != "" {
		return a.with("Location", editedURL(location, do))
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(a.body, &object) != nil || object == nil {
		return a
	}
	maps.Copy(object, do.Set)
	for _, name := range do.Remove {
		delete(object, name)
	}
	a.body = mustJSON(object)
	return a
}

func editedURL(location string, do *Action) string {
	u, err := url.Parse(location)
	if err != nil {
		return location
	}
	query := u.Query()
	for name, raw := range do.Set {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		query.Set(name, text)
	}
	for _, name := range do.Remove {
		query.Del(name)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// deliver sends an answer the way the fault wants it sent.
func (do *Action) deliver(w http.ResponseWriter, r *http.Request, a answer) {
	if a.hangUp {
		hangUp(w)
		return
	}
	header := w.Header()
	maps.Copy(header, a.header)
	if do.ContentType != "" {
		header.Set("Content-Type", do.ContentType)
	}
	if do.RetryAfter != 0 {
		header.Set("Retry-After", strconv.Itoa(do.RetryAfter))
	}
	if do.Gzip {
		header.Set("Content-Encoding", "gzip")
	}
	for name, values := range do.Headers {
		header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if do.TruncateAt != nil {
		a.body = a.body[:min(len(a.body), *do.TruncateAt)]
	}
	if do.Drop == "mid" {
		// The length promised is that of the whole body.
		header.Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.status)
		w.Write(a.body[:len(a.body)/2])
		http.NewResponseController(w).Flush()
		hangUp(w)
		return
	}
	w.WriteHeader(a.status)
	do.writeBody(w, r.Context(), a)
}

func (do *Action) writeBody(w http.ResponseWriter, ctx context.Context, a answer) {
	var out io.Writer = w
	if do.TrickleMS > 0 {
		out = &trickle{w: w, ctx: ctx, gap: milliseconds(do.TrickleMS)}
	}
	if do.Gzip {
		z := gzip.NewWriter(out)
		defer z.Close()
		out = z
	}
	if _, err := out.Write(a.body); err != nil || a.repeat == nil {
		return
	}
	for n := 0; n != a.repeat.Times && ctx.Err() == nil; n++ {
		if _, err := io.WriteString(out, a.repeat.Text); err != nil {
			return // the client has seen enough
		}
	}
}

// trickle writes one byte at a time, each after a pause.
type trickle struct {
	w   http.ResponseWriter
	ctx context.Context
	gap time.Duration
}

func (t *trickle) Write(p []byte) (int, error) {
	for i := range p {
		if !pause(t.ctx, t.gap) {
			return i, t.ctx.Err()
		}
		if _, err := t.w.Write(p[i : i+1]); err != nil {
			return i, err
		}
		http.NewResponseController(t.w).Flush()
	}
	return len(p), nil
}

// hangUp closes the connection under the client. Where it cannot be taken
// over, aborting the handler has the same effect.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	conn.Close()
}
