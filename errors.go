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
			return e
		}
	case "application/json":
		var c api.CompatError
		if json.Unmarshal(body, &c) == nil && c.Error != "" {
			e.Code, e.Message = compatCode(resp.StatusCode, c), c.Error
			return e
		}
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return foreign(route, resp.StatusCode, "a redirect, which is not followed")
	}
	return foreign(route, resp.StatusCode, fmt.Sprintf("HTTP status %d and no error of ours", resp.StatusCode))
}

// compatCode is the code of an error of the compatible surface, which has
// words of its own for some and none for others.
func compatCode(status int, c api.CompatError) Code {
	switch c.Code {
	case "unsupported_provider":
		return api.CodeUnknownProvider
	case "too_many_active_flows":
		return api.CodeTooManyLogins
	case "device_flow_not_found":
		return api.CodeLoginNotFound
	case "upstream_error":
		return api.CodeProviderUnreachable
	case "invalid_client_id":
		return api.CodeInvalidRequest
	case "":
	default:
		return Code(c.Code)
	}
	switch status {
	case http.StatusUnauthorized:
		return api.CodeUnauthorized
	case http.StatusForbidden:
		if c.Error == "Invalid Host header" {
			return api.CodeForbiddenHost
		}
		return api.CodeForbiddenOrigin
	case http.StatusRequestEntityTooLarge:
		return api.CodeBodyTooLarge
	case http.StatusNotFound:
		return api.CodeNotFound
	case http.StatusBadRequest:
		return api.CodeInvalidRequest
	default:
		return api.CodeInternal
	}
}
