package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/usherauth/usher/api"
)

// errInternal is what a client sees of an error that has no words for it.
var errInternal = &api.Error{Code: api.CodeInternal, Message: "internal error"}

// fail answers err on the surface of r. It is the one place where errors
// become answers.
func (g *gateway) fail(w *response, r *http.Request, err error) {
	e := g.public(err)
	status := e.Code.Status()
	h := w.Header()
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	if more, ok := err.(interface{ header(http.Header) }); ok {
		more.header(h)
	}
	if w.status != 0 {
		g.Log.Error("handler failed after it had answered", "error", err)
		return
	}
	if native(r) {
		_ = writeAs(w, api.ProblemType, status, e.Problem())
		return
	}
	var refusal *compatError
	switch err := err.(type) {
	case *compatError:
		refusal = err
	case *rateError:
		refusal = err.compat()
	default:
		refusal = &compatError{status, compatBody(e)}
	}
	_ = writeAs(w, typeCompatJSON, refusal.status, refusal.body)
}

// errStore is trouble with the store for those who are not its owner: what the
// store says about it names files of the owner's.
var errStore = &api.Error{
	Code: api.CodeStoreFailure, Message: "the daemon cannot use its data folder",
	Hint: "the daemon's log says what is wrong",
}

// public is err as a client may see it.
func (g *gateway) public(err error) *api.Error {
	var e *api.Error
	switch {
	case errors.As(err, &e) && e.Code == api.CodeStoreFailure && !g.trusted:
		g.Log.Error("store failure", "error", err)
		return errStore
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return api.Errorf(api.CodeTimeout, "request took too long")
	case errors.Is(err, context.Canceled):
		return api.Errorf(api.CodeInterrupted, "request was cancelled")
	default:
		g.Log.Error("internal error", "error", err)
		return errInternal
	}
}

// compatError is an answer of the compatible surface with a body of its own.
type compatError struct {
	status int
	body   api.CompatError
}

func (e *compatError) Error() string { return e.body.Error }

// As gives it an [api.Error], for logs and for the status alone.
func (e *compatError) As(target any) bool {
	t, ok := target.(**api.Error)
	if ok {
		*t = &api.Error{Code: api.CodeInvalidRequest, Message: e.body.Error}
	}
	return ok
}

// compatBody is e in the words of the compatible surface, which for the
// refusals of the gates knows no codes.
func compatBody(e *api.Error) api.CompatError {
	switch e.Code {
	case api.CodeUnauthorized, api.CodeForbiddenHost, api.CodeForbiddenOrigin:
		return api.CompatError{Error: e.Message}
	case api.CodeBodyTooLarge:
		return api.CompatError{Error: "Request body too large (max 10 MB)"}
	case api.CodeTokenRequired:
		return api.CompatError{
			Error: "This route requires the daemon to be configured with a bearer token. Set QWEN_SERVER_TOKEN or pass --token to enable bearer auth.",
			Code:  string(e.Code),
		}
	default:
		return api.CompatError{Error: e.Error(), Code: string(e.Code)}
	}
}
