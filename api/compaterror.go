package api

import "net/http"

// The codes of a [CompatError] that differ from every [Code].
const (
	CompatUnsupportedProvider = "unsupported_provider"
	CompatInvalidClientID     = "invalid_client_id"
	CompatTooManyFlows        = "too_many_active_flows"
	CompatFlowNotFound        = "device_flow_not_found"
	CompatTooManySubscribers  = "subscriber_limit_exceeded"
	CompatTooManySessions     = "session_limit_exceeded"
	CompatSessionNotFound     = "session_not_found"
)

// CompatInvalidHost is the text of the one error without a code that the status
// does not tell from another.
const CompatInvalidHost = "Invalid Host header"

// compatCodes are the codes of the compatible surface in the native words.
var compatCodes = map[string]Code{
	CompatUnsupportedProvider: CodeUnknownProvider,
	CompatInvalidClientID:     CodeInvalidRequest,
	CompatTooManyFlows:        CodeTooManyLogins,
	CompatFlowNotFound:        CodeLoginNotFound,
	CompatTooManySubscribers:  CodeTooManyStreams,
	KindUpstreamError:         CodeProviderUnreachable,
}

// compatStatuses are the codes of those errors that have none on the compatible
// surface, by their HTTP status.
var compatStatuses = map[int]Code{
	http.StatusBadRequest:            CodeInvalidRequest,
	http.StatusUnauthorized:          CodeUnauthorized,
	http.StatusForbidden:             CodeForbiddenOrigin,
	http.StatusNotFound:              CodeNotFound,
	http.StatusMethodNotAllowed:      CodeMethodNotAllowed,
	http.StatusRequestEntityTooLarge: CodeBodyTooLarge,
}

// Native is the code of e, which came with an HTTP status, in the native words.
// A code that is not known stays as it is.
func (e CompatError) Native(status int) Code {
	if c, ok := compatCodes[e.Code]; ok {
		return c
	}
	c, known := compatStatuses[status]
	switch {
	case e.Code != "":
		return Code(e.Code)
	case e.Error == CompatInvalidHost:
		return CodeForbiddenHost
	case known:
		return c
	default:
		return CodeInternal
	}
}
