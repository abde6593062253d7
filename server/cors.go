package server

import (
	"net/http"
	"slices"
)

// checkOrigin refuses what a web page of an origin that is not allowed makes a
// browser send. To pages of allowed origins the answers say so (the Fetch
// standard's CORS protocol), which allowed reports. Credentials that the browser
// would add are never allowed: the bearer is all that counts, and a page has to
// know it.
func (g *gateway) checkOrigin(w http.ResponseWriter, r *http.Request) (allowed bool, err error) {
	if origins := r.Header["Origin"]; len(origins) > 0 {
		w.Header().Set("Vary", "Origin")
		switch {
		case len(origins) > 1:
			return false, errOrigin
		case g.allows(origins[0]):
			allowOrigin(w.Header(), origins[0])
			return true, nil
		case !g.names.origin(origins[0], r.Host):
			return false, errOrigin
		}
	}
	// For the requests that carry no Origin: those that a page sends without
	// being able to read the answer.
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "none" && site != "same-origin" {
			return false, errOrigin
		}
	}
	return false, nil
}

// allows reports whether origin is one of the configured ones. An opaque origin
// (a sandboxed frame, a file) is anybody's, and never allowed.
func (g *gateway) allows(origin string) bool {
	if !g.names.pages || origin == "" || origin == "null" {
		return false
	}
	return slices.Contains(g.AllowedOrigins, origin) || slices.Contains(g.AllowedOrigins, anyOrigin)
}

func allowOrigin(h http.Header, origin string) {
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Qwen-Client-Id, Last-Event-ID, X-Qwen-Event-Epoch")
	h.Set("Access-Control-Expose-Headers", "Retry-After, X-Qwen-Event-Epoch, X-Qwen-SSE-Stream-Id")
	h.Set("Access-Control-Max-Age", "86400")
}

// preflight reports whether a browser asks whether a page may make a request.
// It cannot add the bearer to that.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions &&
		(r.Header["Access-Control-Request-Method"] != nil || r.Header["Access-Control-Request-Headers"] != nil)
}

func answerPreflight(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}
