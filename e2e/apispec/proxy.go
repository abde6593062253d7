package apispec

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"
)

// Proxy stands between clients and a daemon, which may change while it runs.
type Proxy struct {
	spec   *Spec
	report func(error)
	server *http.Server
	addr   net.Addr
	served chan struct{}

	mu               sync.Mutex
	network, address string // of the daemon
}

// Proxy serves on l, which it closes in the end. It calls report, from many
// goroutines, with everything that is not as the document says. A client whose
// request cannot be forwarded sees its connection break.
func (s *Spec) Proxy(l net.Listener, report func(error)) *Proxy {
	p := &Proxy{spec: s, report: report, addr: l.Addr(), served: make(chan struct{})}
	p.server = &http.Server{
		Handler: &httputil.ReverseProxy{
			Rewrite:        p.rewrite,
			ModifyResponse: p.look,
			ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
			FlushInterval:  -1,
			Transport: &http.Transport{
				DialContext: p.dial, DisableCompression: true,
				// A daemon that is restarted must not be met by an old connection.
				DisableKeepAlives: true,
				// Whether a body is wanted is the daemon's to say.
				ExpectContinueTimeout: time.Minute,
			},
			ErrorLog: log.New(io.Discard, "", 0),
		},
		ErrorLog: log.New(io.Discard, "", 0),
		// OPTIONS * is the daemon's to answer.
		DisableGeneralOptionsHandler: true,
	}
	go func() {
		defer close(p.served)
		if err := p.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			report(err)
		}
	}()
	return p
}

// Forward names the daemon, as [net.Dial] wants it.
func (p *Proxy) Forward(network, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.network, p.address = network, address
}

// Forwards is what Forward was told.
func (p *Proxy) Forwards() (network, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.network, p.address
}

// URL is where clients on TCP find the proxy.
func (p *Proxy) URL() string { return "http://" + p.addr.String() }

// Close breaks all connections and returns when nothing is served any more.
func (p *Proxy) Close() {
	p.server.Close()
	<-p.served
}

func (p *Proxy) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	network, address := p.Forwards()
	return new(net.Dialer).DialContext(ctx, network, address)
}

// rewrite leaves the request as it is, but for the port, which the daemon holds
// against its own.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.Host = "http", "daemon"
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	r.Out.Host = p.daemonPort(r.In.Host)
	for i, origin := range r.Out.Header["Origin"] {
		r.Out.Header["Origin"][i] = p.daemonPort(origin)
	}
	if r.In.Body != nil && r.In.Body != http.NoBody {
		kept := &body{ReadCloser: r.In.Body}
		r.Out.Body = kept
		r.Out = r.Out.WithContext(context.WithValue(r.Out.Context(), bodyKey{}, kept))
	}
}

// daemonPort puts the daemon's port in the place of the proxy's.
func (p *Proxy) daemonPort(text string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, own, err := net.SplitHostPort(p.addr.String())
	_, daemons, daemonErr := net.SplitHostPort(p.address)
	if err != nil || daemonErr != nil {
		return text // unix sockets have none
	}
	if host, found := strings.CutSuffix(text, ":"+own); found {
		return host + ":" + daemons
	}
	return text
}

// look checks an answer on its way to the client: at once, or frame by frame.
func (p *Proxy) look(r *http.Response) error {
	x := Exchange{Request: r.Request, Status: r.StatusCode, Header: r.Header}
	if kept, ok := r.Request.Context().Value(bodyKey{}).(*body); ok {
		x.RequestBody = kept.read()
	}
	if isStream(r.Header) && r.Request.Method != http.MethodHead {
		op, _ := p.spec.find(r.Request)
		schema, err := p.spec.dataSchema(op)
		if err := errors.Join(err, p.spec.Check(x)); err != nil {
			p.report(err)
		}
		if err == nil {
			r.Body = &frames{ReadCloser: r.Body, spec: p.spec, op: op, schema: schema, report: p.report}
		}
		return nil
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err // the daemon broke off: so does the proxy
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	x.Body = text
	if err := p.spec.Check(x); err != nil {
		p.report(err)
	}
	return nil
}

// bodyKey finds a request's body in its context.
type bodyKey struct{}

// body remembers what was read of a request's body, up to what any operation
// accepts.
type body struct {
	io.ReadCloser
	mu   sync.Mutex
	text []byte
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.text) < 1<<20 {
		b.text = append(b.text, p[:n]...)
	}
	return n, err
}

func (b *body) read() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.text)
}
