package oauth

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/internal/safetext"
)

// answer is what came back, read to its end.
type answer struct {
	status   int
	header   http.Header
	body     []byte
	object   object
	objectOK bool   // body held an object, JSON or form
	parseErr error  // why not
	readErr  *Error // the body broke off; body holds what came before
}

// parse reads the body as JSON, whatever its declared type, unless it is declared and looks like a form.
func (a *answer) parse() {
	mediaType, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	if mediaType == "application/x-www-form-urlencoded" && !bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("{")) {
		a.object, a.parseErr = parseForm(a.body)
	} else {
		a.object, a.parseErr = parseObject(a.body)
	}
	a.objectOK = a.parseErr == nil
}

// whole reads the body as JSON alone and reports whether it is an object, which says itself where it ends. A form does not.
func (a *answer) whole() bool {
	a.object, a.parseErr = parseObject(a.body)
	a.objectOK = a.parseErr == nil
	return a.objectOK
}

// malformed is the error for a success that cannot be used. What the server did is unknown.
func (a *answer) malformed(op string, err error) *Error {
	return &Error{Op: op, Outcome: Ambiguous, Kind: KindMalformed, Status: a.status, Err: err}
}

// failure classifies an answer that is no success; nil means that the body decides. echoes reports text that repeats a
// secret.
func (a *answer) failure(op string, echoes func(string) bool) *Error {
	e := &Error{Op: op, Outcome: Answered, Status: a.status, RetryAfter: retryAfter(a.header, time.Now())}
	code, description := a.oauthError(echoes)
	e.Description = description
	switch {
	case a.status < 200 || a.status > 599:
		e.Kind, e.Outcome, e.Err = KindMalformed, Ambiguous, errors.New("status "+strconv.Itoa(a.status)+" ends no request")
	case a.status >= 500:
		// Even with an OAuth error in it: a gateway's error page must not end a login.
		e.Kind, e.Outcome = KindServer, Ambiguous
		if e.RetryAfter > 0 {
			e.Kind = KindRateLimited
		}
	case a.status >= 300 && a.status < 400:
		e.Kind = KindRedirect
	case a.status == http.StatusTooManyRequests && code != ErrorSlowDown:
		// A limiter in front of the server says nothing about the grant, whatever its body claims.
		e.Kind = KindRateLimited
	case a.readErr != nil:
		if a.status < 300 {
			return nil // what came of it may be worth keeping
		}
		return a.readErr
	case code != "":
		e.Kind, e.Code = KindOAuth, code
	case a.status < 300:
		return nil
	case e.RetryAfter > 0:
		e.Kind = KindRateLimited
	default:
		e.Kind = KindStatus
	}
	return e
}

// oauthError returns the error code and description of an answer (RFC 6749 section 5.2), or "" for what is absent or
// unfit to be passed on.
func (a *answer) oauthError(echoes func(string) bool) (code, description string) {
	if !a.objectOK {
		return "", ""
	}
	code, description = a.object.oauthError()
	if !isCode(code) || echoes(code) {
		code = ""
	}
	if echoes(description) {
		description = ""
	}
	return code, safetext.Line(description, safetext.DefaultLine)
}

func (o object) oauthError() (code, description string) {
	code, err := o.text("error")
	if err == nil {
		description, _ = o.text("error_description")
		return code, description
	}
	// Not a string. Some servers answer {"error":{"code":...,"message":...}}, as their other APIs do.
	raw, err := o.raw("error")
	if err != nil {
		return "", ""
	}
	inner, err := parseObject(raw)
	if err != nil {
		return "", ""
	}
	if code, _ = inner.text("code"); code == "" {
		code, _ = inner.text("type")
	}
	description, _ = inner.text("message")
	return code, description
}

// isCode reports whether s can be an error code: the characters of RFC 6749 section 5.2 but the space, and a length
// that is a word's.
func isCode(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '\\'
	})
}
