// Package memhttp connects an http.Client to an http.Handler without a network:
// [Transport] calls the handler in the same process.
//
// It exists for tests of code that waits. Because no socket and no server are
// involved, all of it runs inside a testing/synctest bubble, where a poll every
// five seconds for fifteen minutes takes no time at all.
//
//	client := &http.Client{Transport: &memhttp.Transport{Handler: sandbox}}
//
// It keeps to what a server and a client would do over HTTP/1.1: small answers
// arrive when the handler returns, flushed ones at once, either side notices
// when the other is gone, and http.ErrAbortHandler breaks the connection. There
// are no trailers, no upgrades, no hijacking and no informational answers.
package memhttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
)

// Transport is an [http.RoundTripper] that answers every request, whatever its
// scheme and host, with Handler. It is safe for concurrent use if Handler is.
type Transport struct {
	// Handler serves the requests; it is required. Each request is served in
	// a goroutine of its own, which ends when the handler returns and the
	// client has read or closed the body.
	Handler http.Handler
}

// RoundTrip implements [http.RoundTripper]. When the request's context ends,
// RoundTrip and reads of the response's body return its error, and the
// context that the handler sees is cancelled. That one is also cancelled by
// closing the body and by the return of the handler; it carries no values of
// the caller's.
//
// A handler that panics with http.ErrAbortHandler makes RoundTrip return an
// error that matches io.EOF, or, when it has sent something, makes reads of the
// body end in io.ErrUnexpectedEOF. Any other panic is not recovered.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		closeBody(req)
		return nil, err
	}
	r, err := serverRequest(req)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	w := newResponse(req)
	// When the client is gone nobody reads the answer, and nothing more of the
	// request will come.
	stop := context.AfterFunc(ctx, func() {
		w.gone()
		w.pipe.CloseWithError(ctx.Err())
		r.Body.Close()
	})
	go func() {
		defer stop()
		defer w.gone()
		defer r.Body.Close()
		w.serve(t.Handler, r)
	}()
	select {
	case resp := <-w.ready:
		if resp == nil {
			return nil, fmt.Errorf("handler aborted: %w", io.EOF)
		}
		return resp, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serverRequest is req as a server would have read it from the wire.
func serverRequest(req *http.Request) (*http.Request, error) {
	if req.URL == nil {
		return nil, errors.New("request without URL")
	}
	uri := req.URL.RequestURI()
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return nil, fmt.Errorf("parsing request URI: %w", err)
	}
	r := &http.Request{
		Method:     req.Method,
		URL:        u,
		RequestURI: uri,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     req.Header.Clone(),
		Host:       req.Host,
		RemoteAddr: "127.0.0.1:1",
		Body:       &requestBody{body: http.NoBody},
		Close:      req.Close,
	}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if r.Host == "" {
		r.Host = req.URL.Host
	}
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	if req.Body != nil && req.Body != http.NoBody {
		r.Body = &requestBody{body: req.Body}
		r.ContentLength = req.ContentLength
		if r.ContentLength == 0 {
			r.ContentLength = -1 // a client that does not know leaves it zero
		}
	}
	return r, nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// requestBody is closed by whichever side is done first, once.
type requestBody struct {
	body   io.ReadCloser
	mu     sync.Mutex
	closed bool
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.body.Read(p)
}

func (b *requestBody) Close() error {
	b.mu.Lock()
	closed := b.closed
	b.closed = true
	b.mu.Unlock()
	if closed {
		return nil
	}
	return b.body.Close()
}
