package oauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync/atomic"
	"syscall"
)

// maxBody bounds what is read of an answer, after any decompression the caller's transport may do.
const maxBody = 1 << 20

// send makes one request and reads its answer. It goes to the RoundTripper directly, so that no redirect is followed, no
// cookie kept and no error built from a Location header, whatever the caller's client does. With statusOnly the body of a
// success is not read.
func send(ctx context.Context, hc *http.Client, op string, req *http.Request, statusOnly bool) (*answer, *Error) {
	if hc.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, hc.Timeout)
		defer cancel()
	}
	if err := ctx.Err(); err != nil {
		return nil, transportError(ctx, op, NotSent, false, err)
	}
	rt := hc.Transport
	if rt == nil {
		rt = http.DefaultTransport
	}
	var trace connTrace
	resp, err := rt.RoundTrip(req.WithContext(trace.watch(ctx)))
	if err != nil {
		return nil, transportError(ctx, op, trace.outcome(rt), trace.tlsFailed.Load(), err)
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header}
	// The body of a switched protocol never ends; that of a redirect says nothing.
	if resp.StatusCode < 200 || resp.StatusCode/100 == 3 || resp.StatusCode/100 == 2 && statusOnly {
		return a, nil
	}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil && a.whole():
		// Nothing that counts is missing. To ask again with a token that is
		// spent would be worse than any doubt about the rest.
	case err != nil:
		a.readErr = transportError(ctx, op, Ambiguous, false, err)
		a.readErr.Status = a.status
		a.parseErr = a.readErr.Err
	case len(a.body) > maxBody:
		a.body = a.body[:maxBody]
		a.parseErr = errors.New("longer than 1 MiB")
	default:
		a.parse()
	}
	return a, nil
}

// connTrace observes how far a request came. The callbacks may run on other goroutines, even after the request ended.
type connTrace struct {
	seen, gotConn, tlsFailed atomic.Bool
}

func (t *connTrace) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { t.seen.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { t.gotConn.Store(true) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err != nil {
				t.tlsFailed.Store(true)
			}
		},
	})
}

// outcome of a request that got no answer. With a connection in hand the first byte may have been written; without one it
// was not. A RoundTripper that reports nothing proves nothing.
func (t *connTrace) outcome(rt http.RoundTripper) Outcome {
	_, reports := rt.(*http.Transport)
	if (t.seen.Load() || reports) && !t.gotConn.Load() {
		return NotSent
	}
	return Ambiguous
}

// errBroken stands for errors of net/http after the request was written. Their texts quote what the server sent, and
// a server can send the request back.
var errBroken = errors.New("broke before the whole answer arrived")

func transportError(ctx context.Context, op string, outcome Outcome, tlsFailed bool, err error) *Error {
	e := &Error{Op: op, Outcome: outcome, Kind: KindNetwork, Err: err}
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(ctx.Err(), context.Canceled):
		e.Kind, e.Err = KindCanceled, context.Canceled
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		e.Kind, e.Err = KindTimeout, context.DeadlineExceeded
	case isTimeout(err):
		e.Kind = KindTimeout
	case tlsFailed || isTLS(err):
		e.Kind = KindTLS
	}
	if outcome != NotSent && e.Kind != KindCanceled && e.Kind != KindTimeout {
		e.Err = harmless(err)
	}
	return e
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

func isTLS(err error) bool {
	_, verify := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return verify || record || alert || authority || host || invalid
}

// harmless keeps of err only what cannot quote the server.
func harmless(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return os.NewSyscallError("connection", errno)
	}
	for _, known := range []error{io.ErrUnexpectedEOF, io.EOF, net.ErrClosed} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errBroken
}
