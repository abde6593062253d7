package usher

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/usherauth/usher/api"
)

// decodeError is the [Error] in a response that is no success: a problem
// document (RFC 9457), the error body of the compatible surface, or whatever
// something between us and the daemon says.
func decodeError(route string, resp *http.Response) *Error {
	const most = 64 << 10
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		body = nil
	}
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	e := &Error{Status: resp.StatusCode, Route: route}
	switch mediaType {
	case api.ProblemType:
		var p api.Problem
		if json.Unmarshal(body, &p) == nil && p.Code != "" {
			e.Code, e.Kind, e.Message, e.Hint = p.Code, p.Kind, p.Detail, p.Hint
			return withKind(e)
		}
	case "application/json":
		var c api.CompatError
		if json.Unmarshal(body, &c) == nil && c.Error != "" {
			e.Code, e.Message = c.Native(resp.StatusCode), c.Error
			return withKind(e)
		}
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return foreign(route, resp.StatusCode, "a redirect, which is not followed")
	}
	return foreign(route, resp.StatusCode, fmt.Sprintf("HTTP status %d and no error of ours", resp.StatusCode))
}

// withKind gives the error for a login that is gone the kind that clients of
// the compatible surface know it by.
func withKind(e *Error) *Error {
	if e.Code == api.CodeLoginNotFound && e.Kind == "" {
		e.Kind = api.KindNotFoundOrEvicted
	}
	return e
}
