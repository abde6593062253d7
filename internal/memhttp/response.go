package memhttp

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strconv"
	"time"
)

// bufferSize is how much of an answer net/http's server holds back to find out
// its length.
const bufferSize = 2 << 10

// response is the handler's side of an answer.
type response struct {
	ctx    context.Context     // the handler's
	gone   func()              // cancels ctx
	req    *http.Request       // the client's
	ready  chan *http.Response // gets the answer when its header is final, nil if there is none
	body   *io.PipeReader
	pipe   *io.PipeWriter // into body
	buffer *bufio.Writer  // in front of pipe

	header   http.Header // the handler's, which it may go on changing
	status   int         // zero until WriteHeader
	final    http.Header // header as it was at WriteHeader, and what is added to it
	declared int64       // the Content-Length in final, or -1
	written  int64       // by the handler
	sent     bool        // ready has got something
}

func newResponse(req *http.Request) *response {
	w := &response{req: req, ready: make(chan *http.Response, 1), header: make(http.Header)}
	// The context carries no values of the caller's, as if over a wire.
	w.ctx, w.gone = context.WithCancel(context.Background())
	w.body, w.pipe = io.Pipe()
	w.buffer = bufio.NewWriterSize(unbuffered{w}, bufferSize)
	return w
}

// serve runs the handler and finishes its answer.
func (w *response) serve(h http.Handler, r *http.Request) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			// As in a server, what has not been flushed is lost.
			if !w.sent {
				w.ready <- nil
			}
			w.pipe.CloseWithError(io.ErrUnexpectedEOF)
		default:
			panic(v)
		}
	}()
	h.ServeHTTP(w, r.WithContext(w.ctx))
	// To the handler the request is over, though the client may have to read.
	w.gone()
	r.Body.Close()
	w.WriteHeader(http.StatusOK)
	if !w.sent && w.declared < 0 && w.bodyAllowed() && (!w.isHead() || w.written > 0) {
		w.declared = w.written
		w.final.Set("Content-Length", strconv.FormatInt(w.written, 10))
	}
	w.send()
	// The only possible error is that the client is gone.
	_ = w.buffer.Flush()
	if w.written < w.declared && w.bodyAllowed() {
		w.pipe.CloseWithError(io.ErrUnexpectedEOF)
		return
	}
	w.pipe.Close()
}

// send hands the answer to the client, whose body is still to come.
func (w *response) send() {
	if w.sent {
		return
	}
	w.sent = true
	if w.final.Get("Date") == "" {
		w.final.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	resp := &http.Response{
		Status:        strconv.Itoa(w.status) + " " + http.StatusText(w.status),
		StatusCode:    w.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        w.final,
		Body:          &responseBody{w.body, w.gone},
		ContentLength: w.declared,
		Request:       w.req,
	}
	if w.isHead() {
		resp.Body = http.NoBody
	}
	w.ready <- resp
}

// Header implements [http.ResponseWriter].
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter]. As in a server the first final
// status counts, and nothing is sent before the buffer is full or flushed.
func (w *response) WriteHeader(status int) {
	if status < 200 || w.status != 0 {
		return
	}
	w.status, w.final, w.declared = status, w.header.Clone(), -1
	if n, err := strconv.ParseInt(w.final.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		w.declared = n
	} else {
		w.final.Del("Content-Length")
	}
	if !w.bodyAllowed() && !w.isHead() {
		w.declared = 0
	}
}

// Write implements [http.ResponseWriter].
func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !w.bodyAllowed() {
		return 0, http.ErrBodyNotAllowed
	}
	if w.declared >= 0 && w.written+int64(len(p)) > w.declared {
		return 0, http.ErrContentLength
	}
	if !w.sent && w.written == 0 && len(p) > 0 && w.final.Values("Content-Type") == nil {
		w.final.Set("Content-Type", http.DetectContentType(p))
	}
	w.written += int64(len(p))
	return w.buffer.Write(p)
}

func (w *response) bodyAllowed() bool {
	return w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

func (w *response) isHead() bool { return w.req.Method == http.MethodHead }

// Flush implements [http.Flusher].
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is what [http.ResponseController] calls. It waits until the client
// has read what was written, and returns an error when the client is gone.
func (w *response) FlushError() error {
	w.WriteHeader(http.StatusOK)
	w.send()
	if err := w.buffer.Flush(); err != nil {
		return err
	}
	return w.ctx.Err()
}

// SetReadDeadline accepts every deadline and has no effect.
func (w *response) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline accepts every deadline and has no effect.
func (w *response) SetWriteDeadline(time.Time) error { return nil }

// EnableFullDuplex has no effect: reading and writing never exclude each other.
func (w *response) EnableFullDuplex() error { return nil }

// unbuffered is where the buffer empties into: the header goes first, and an
// answer to HEAD has nothing else.
type unbuffered struct{ w *response }

func (u unbuffered) Write(p []byte) (int, error) {
	u.w.send()
	if u.w.isHead() {
		return len(p), nil
	}
	return u.w.pipe.Write(p)
}

// responseBody tells the handler when the client closes it.
type responseBody struct {
	*io.PipeReader
	gone func()
}

func (b *responseBody) Close() error {
	b.gone()
	return b.PipeReader.Close()
}
