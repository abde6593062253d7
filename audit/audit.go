package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/usherauth/usher/internal/safetext"
)

// The actions of a [Record].
const (
	ActionLogin   = "login"
	ActionRefresh = "refresh"
	ActionLogout  = "logout"
	ActionImport  = "import"
)

// The statuses of a [Record].
const (
	StatusStarted    = "started"
	StatusThrottled  = "throttled" // JSON sink only
	StatusAuthorized = "authorized"
	StatusFailed     = "failed"
	StatusCancelled  = "cancelled"
	StatusExpired    = "expired"
	StatusSuperseded = "superseded"
	StatusRefreshed  = "refreshed"
	StatusNeedsLogin = "needs_login"
	StatusRemoved    = "removed"
	StatusRevealed   = "revealed"
	StatusStored     = "stored"
)

// maxHint bounds a hint in characters; whatever is longer is no hint.
const maxHint = 1024

// A Record is one thing that was done. Empty fields are left out.
type Record struct {
	// Time is when it happened; the present if zero.
	Time time.Time `json:"time"`
	// Action and Status say what happened. Both are words of this package.
	Action string `json:"action"`
	Status string `json:"status"`
	// Key names the credential, as provider or provider/account.
	Key string `json:"key,omitempty"`
	// TraceID joins the records of one piece of work, in the JSON sink: 32 hex
	// digits (W3C Trace Context).
	TraceID string `json:"trace_id,omitempty"`
	// LoginID is the login concerned.
	LoginID string `json:"login_id,omitempty"`
	// ClientID is who asked, by its own claim.
	ClientID string `json:"client_id,omitempty"`
	// ErrorKind is a stable code, Hint a sentence of our own words.
	ErrorKind string `json:"error_kind,omitempty"`
	Hint      string `json:"hint,omitempty"`
	// ExpiresIn is the life of what was made; written in milliseconds.
	ExpiresIn time.Duration `json:"-"`
	// Interval is the new interval of polls; written in milliseconds.
	Interval time.Duration `json:"-"`
	// Generation is the credential's generation after the change.
	Generation uint64 `json:"generation,omitempty"`
}

// A Writer writes records to its sinks. It is safe for concurrent use and must
// not be copied after its first use. Nil discards.
type Writer struct {
	// Text gets one breadcrumb line per record; nil for none.
	Text io.Writer
	// JSON gets one JSON object per line and record, as a [File] does; nil for
	// none.
	JSON io.Writer

	mu sync.Mutex
}

// Record writes r to every sink. A sink that fails does not keep the others
// from getting the record; the error joins what went wrong.
func (w *Writer) Record(r Record) error {
	if w == nil {
		return nil
	}
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	r = r.printable()
	w.mu.Lock()
	defer w.mu.Unlock()
	var textErr, jsonErr error
	if w.Text != nil && r.Status != StatusThrottled {
		_, textErr = io.WriteString(w.Text, r.text()+"\n")
	}
	if w.JSON != nil {
		_, jsonErr = w.JSON.Write(r.json())
	}
	if err := errors.Join(textErr, jsonErr); err != nil {
		return fmt.Errorf("writing audit record: %w", err)
	}
	return nil
}

// printable returns r with everything that could have come from outside as one
// bounded line each.
func (r Record) printable() Record {
	const word = 128 // longer than every key and client id
	for _, f := range []*string{&r.Action, &r.Status, &r.Key, &r.TraceID, &r.LoginID, &r.ClientID, &r.ErrorKind} {
		*f = safetext.Line(*f, word)
	}
	r.Hint = safetext.Line(r.Hint, maxHint)
	r.Time = r.Time.UTC().Round(0)
	return r
}

// json is r as one line.
func (r Record) json() []byte {
	return append(marshal(struct {
		Record
		ExpiresInMs int64 `json:"expires_in_ms,omitempty"`
		IntervalMs  int64 `json:"interval_ms,omitempty"`
	}{r, max(0, r.ExpiresIn.Milliseconds()), r.Interval.Milliseconds()}), '\n')
}

// marshal is json.Marshal with <, > and & left readable: nothing here is HTML.
func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("audit: internal error: " + err.Error()) // strings, numbers and times only
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
