package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"runtime/debug"
	"strconv"
)

// response notes what was answered, so that a handler that fails afterwards is
// not answered twice.
type response struct {
	http.ResponseWriter
	status int // 0 until the header is written
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// The media types of answers. The compatible surface names the charset.
const (
	typeJSON       = "application/json"
	typeCompatJSON = "application/json; charset=utf-8"
)

// writeJSON answers with v in the media type of r's surface.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) error {
	if native(r) {
		return writeAs(w, typeJSON, status, v)
	}
	return writeAs(w, typeCompatJSON, status, v)
}

// writeAs answers with v as JSON. An error means that nothing was written.
func writeAs(w http.ResponseWriter, mediaType string, status int, v any) error {
	body, err := encode(v)
	if err == nil {
		writeBody(w, mediaType, status, body)
	}
	return err
}

// encode is v as JSON, as JSON.stringify has it: without escapes for HTML, which
// nosniff keeps it from being.
func encode(v any) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, 512)) // enough for most
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func writeBody(w http.ResponseWriter, mediaType string, status int, body []byte) {
	values := []string{mediaType, strconv.Itoa(len(body))}
	w.Header()["Content-Type"], w.Header()["Content-Length"] = values[0:1:1], values[1:2:2]
	w.WriteHeader(status)
	// A client that is gone is nobody's error.
	_, _ = w.Write(body)
}

// recovered answers 500 after a panic p in a handler, and logs where it was.
// The daemon and its other requests go on.
func (g *gateway) recovered(w *response, r *http.Request, p any) {
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) // asks net/http to break the connection
	}
	g.Log.Error("panic in a handler", "panic", p, "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler) // a part of an answer must not look whole
	}
	g.fail(w, r, errInternal)
}
