package server

import (
	"net/http"
	"strings"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/safetext"
)

const (
	headerClientID    = "X-Qwen-Client-Id"
	headerTraceparent = "Traceparent"
)

// clientID is who r says it comes from; empty is anonymous. It attributes, and
// authenticates nobody.
func clientID(r *http.Request) (string, error) {
	// Several are a list (RFC 9110 section 5.3), which is no client id.
	id := strings.Join(r.Header[headerClientID], ", ")
	if id != "" && !safetext.Word(id, "._:-", 1, 128) {
		return "", compat(http.StatusBadRequest, codeInvalidClientID,
			"`X-Qwen-Client-Id` must be a non-empty token of 128 characters or fewer")
	}
	return id, nil
}

// caller is who r comes from, on the native surface.
func (g *gateway) caller(r *http.Request) (api.Caller, error) {
	id, err := clientID(r)
	if err != nil {
		return api.Caller{}, api.Errorf(api.CodeInvalidRequest, "%s", err.Error())
	}
	return api.Caller{ClientID: id, Owner: g.trusted}, nil
}

// trace is the trace id of r's traceparent header (W3C Trace Context, section
// 3.2), empty without one. What is malformed counts as absent, by that document.
func trace(r *http.Request) string {
	values := r.Header[headerTraceparent]
	if len(values) != 1 {
		return ""
	}
	// version "-" trace-id "-" parent-id "-" flags; later versions may go on.
	v := values[0]
	if len(v) < 55 || v[2] != '-' || v[35] != '-' || v[52] != '-' {
		return ""
	}
	version, id, parent, flags := v[:2], v[3:35], v[36:52], v[53:55]
	switch {
	case !lowerHex(version) || !lowerHex(id) || !lowerHex(parent) || !lowerHex(flags):
	case version == "ff", version == "00" && len(v) != 55, len(v) > 55 && v[55] != '-':
	case strings.Trim(id, "0") == "", strings.Trim(parent, "0") == "":
	default:
		return id
	}
	return ""
}

func lowerHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }
