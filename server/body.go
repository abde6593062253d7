package server

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/usherauth/usher/api"
)

// The caps of request bodies. What is native is never larger than a few
// hundred bytes; the other one is the contract's.
const (
	maxNativeBody = 64 << 10
	maxCompatBody = 10 << 20
)

// bodyTimeout bounds the reading of a body: a client that sends slower than
// this holds a connection for nothing. leftoverTimeout is for a body that
// nobody wants to read.
const (
	bodyTimeout     = 30 * time.Second
	leftoverTimeout = time.Second
)

// abandonBody has the connection end with the answer, if r has a body. Else
// net/http would read the rest of it first, for as long as the client likes,
// to find the next request.
func abandonBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 {
		return
	}
	w.Header().Set("Connection", "close")
	// A client that is still sending does not see the answer if it is reset.
	setReadDeadline(w, time.Now().Add(leftoverTimeout))
}

// awaitBody takes abandonBody back, for whoever reads the body to its end by
// the deadline; zero is none.
func awaitBody(w http.ResponseWriter, deadline time.Time) {
	w.Header().Del("Connection")
	setReadDeadline(w, deadline)
}

func setReadDeadline(w http.ResponseWriter, t time.Time) {
	// Not every ResponseWriter can do it; those of a server can.
	_ = http.NewResponseController(w).SetReadDeadline(t)
}

// limitBody refuses a body that says it is too large, and has the reading of
// any other fail where it gets too large. Extra handlers have limits of
// their own.
func (s *Server) limitBody(w http.ResponseWriter, r *http.Request, rt *compiled) error {
	limit := int64(maxCompatBody)
	switch {
	case rt.method == "", r.ContentLength == 0:
		return nil
	case native(r):
		limit = maxNativeBody
	}
	if r.ContentLength > limit {
		return errTooLarge
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if limit > maxNativeBody {
		r.Body = &largeBody{ReadCloser: r.Body, small: maxNativeBody, place: s.large}
	}
	return nil
}

// A largeBody is a body that waits for its place once it is not small any more.
// Such a request takes several times its size in memory, so that as many as
// there are connections would take all there is. No client sends them.
type largeBody struct {
	io.ReadCloser
	small int // bytes that are read without a place
	place chan struct{}
	held  bool
}

func (b *largeBody) Read(p []byte) (int, error) {
	if b.small <= 0 && !b.held {
		select {
		case b.place <- struct{}{}:
			b.held = true
		case <-time.After(bodyTimeout):
			return 0, errors.New("no place for a large body")
		}
	}
	n, err := b.ReadCloser.Read(p)
	b.small -= n
	return n, err
}

// releaseBody gives the place of r's body back, when r is done with.
func releaseBody(r *http.Request) {
	if b, ok := r.Body.(*largeBody); ok && b.held {
		<-b.place
	}
}

// readBody reads the whole body within the gate's cap and bodyTimeout.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	// At the end of the body net/http lifts the deadline.
	awaitBody(w, time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &large):
		err = errTooLarge
	default:
		err = api.Errorf(api.CodeInvalidRequest, "reading request body")
	}
	abandonBody(w, r)
	return nil, err
}

func isJSON(r *http.Request) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == typeJSON
}

// decode reads the JSON body of a native request into v. Fields that are not
// known are ignored, so that newer clients can talk to older daemons.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	// Also what keeps a form of a web page from being taken for a request.
	if !isJSON(r) {
		return api.Errorf(api.CodeUnsupportedMedia, "request body must be application/json")
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return api.Errorf(api.CodeInvalidRequest, "field %s of the request body is not of the right type", wrong.Field)
		}
		return api.Errorf(api.CodeInvalidRequest, "request body is not the JSON object that was expected")
	}
	return nil
}

// compatFields reads the body of a compatible request: the fields of an
// object, by their exact names. Anything that is not JSON by its type, and
// JSON that is no object, counts as an object without fields.
func compatFields(w http.ResponseWriter, r *http.Request) (map[string]json.RawMessage, error) {
	if !isJSON(r) {
		return nil, nil
	}
	body, err := readBody(w, r)
	if err != nil || len(body) == 0 {
		return nil, err
	}
	if !json.Valid(body) {
		return nil, &compatError{http.StatusBadRequest, api.CompatError{Error: "Invalid JSON in request body"}}
	}
	var fields map[string]json.RawMessage
	if strings.HasPrefix(strings.TrimSpace(string(body)), "{") {
		if err := json.Unmarshal(body, &fields); err != nil {
			return nil, err
		}
	}
	return fields, nil
}
