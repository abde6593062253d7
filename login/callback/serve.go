package callback

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/usherauth/usher/secret"
)

// Outcome is what became of an answer that was delivered.
type Outcome int

const (
	// Stray: it is none of this login, by state or issuer. It counts for nothing.
	Stray Outcome = iota
	// LoggedIn: the login ended with a credential.
	LoggedIn
	// Denied: the provider said no, and the login ended.
	Denied
	// Failed: the login ended without a credential.
	Failed
	// Unfinished: it was taken, and what comes of it is not known yet.
	Unfinished
	// Unsent: it could not be passed on. The login is still pending, and the same
	// answer may come again.
	Unsent
	// Over: the login had ended before.
	Over
)

// final reports whether no further answer is of use.
func (o Outcome) final() bool {
	switch o {
	case LoggedIn, Denied, Failed, Over:
		return true
	}
	return false
}

// Deliver brings the URL that the browser was sent to, with the answer in its
// query, to the login. It is called once for each request that may be an answer,
// concurrently, until the login has ended. Its context ends with Serve.
type Deliver func(ctx context.Context, redirectedURL secret.String) Outcome

// The bounds of a request. A browser sends it in no time.
const (
	maxQuery       = 32 << 10 // as long as login takes it
	maxHeader      = 64 << 10
	maxConnections = 64
	readTimeout    = 10 * time.Second
	// patience is how long a page waits for what becomes of its answer.
	patience     = 10 * time.Second
	writeTimeout = readTimeout + patience + 5*time.Second
	// lastWords is how long the pages of the last answers may take at the end.
	lastWords = 5 * time.Second
)

// Serve answers the browser until ctx ends, and then closes l. Each answer to
// the login goes to deliver; title is the provider's name for people. Pages that
// wait for deliver when ctx ends get a moment to be told, so that the one of the
// answer that ended the login tells how.
func (l *Listener) Serve(ctx context.Context, title string, deliver Deliver) {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	h := &handler{
		target: l.target, hosts: l.target.hosts(), title: title, style: styleHash(),
		deliver: deliver, work: work,
	}
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: readTimeout, WriteTimeout: writeTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: log.New(io.Discard, "", 0), ConnState: atMost(maxConnections),
	}
	srv.SetKeepAlivesEnabled(false)
	var serving sync.WaitGroup
	for _, socket := range l.sockets {
		serving.Go(func() { _ = srv.Serve(socket) }) // ends when l is closed
	}
	<-ctx.Done()
	l.Close()
	h.end(lastWords)
	srv.Close() // what is left has been answered, or has asked for nothing
	stopWork()
	serving.Wait()
	h.delivering.Wait()
}

// atMost bounds the connections that are open at a time. A newcomer takes the
// place of the one that has been without a request for the longest, so that
// nobody keeps the browser out by being silent.
func atMost(n int) func(net.Conn, http.ConnState) {
	var mu sync.Mutex
	var open int
	var silent []net.Conn // the oldest first
	return func(c net.Conn, s http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		switch s {
		case http.StateNew:
			open++
			silent = append(silent, c)
			if open > n {
				silent[0].Close() // c itself, if all others are being answered
				silent = silent[1:]
			}
			return
		case http.StateClosed, http.StateHijacked:
			open--
		}
		silent = slices.DeleteFunc(silent, func(other net.Conn) bool { return other == c })
	}
}

// handler answers for one login.
type handler struct {
	target  target
	hosts   map[string]bool // see target.hosts
	title   string
	style   string // the hash of the style sheet
	deliver Deliver
	work    context.Context // of deliveries

	mu         sync.Mutex
	over       bool           // a delivery had a final outcome, or Serve ends
	answering  sync.WaitGroup // requests that wait for their outcome
	delivering sync.WaitGroup // calls of deliver
}

// begin counts an answer in, unless the login is over.
func (h *handler) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.over {
		h.answering.Add(1)
		h.delivering.Add(1)
	}
	return !h.over
}

// end lets no further answer in, and waits for those that are, at most for bound.
func (h *handler) end(bound time.Duration) {
	h.mu.Lock()
	h.over = true
	h.mu.Unlock()
	done := make(chan struct{})
	go func() {
		h.answering.Wait() // each of them has its bound
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(bound):
	}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, text := h.refuses(r); status != 0 {
		h.refuse(w, status, text)
		return
	}
	if !h.begin() {
		h.show(w, Over)
		return
	}
	defer h.answering.Done()
	select {
	case outcome := <-h.bring(r):
		h.show(w, outcome)
	case <-time.After(patience):
		h.show(w, Unfinished)
	case <-r.Context().Done(): // the browser has left; the answer counts all the same
	}
}

// refuses tells why r can be no answer: it is not what a browser sends that a
// provider sends back. A status of 0 means that it can be one.
func (h *handler) refuses(r *http.Request) (status int, text string) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case !h.hosts[strings.ToLower(r.Host)]:
		return http.StatusBadRequest, "This is not the name of this server."
	case !h.target.leadsTo(r.URL.EscapedPath()):
		return http.StatusNotFound, "There is nothing here."
	case r.Method != http.MethodGet:
		return http.StatusMethodNotAllowed, "Only GET is answered here."
	case r.ContentLength != 0:
		return http.StatusBadRequest, "No body is expected."
	case !navigation(r.Header):
		return http.StatusBadRequest, "Only a page that is opened is answered."
	case len(r.URL.RawQuery) > maxQuery || err != nil || !query.Has("code") && !query.Has("error"):
		return http.StatusBadRequest, "There is no answer in this address."
	}
	return 0, ""
}

// navigation reports whether somebody opens a page: by what browsers say on their
// own, the request is neither made ahead of that nor for a part of another page.
func navigation(h http.Header) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Moz"} {
		if strings.Contains(strings.ToLower(h.Get(name)), "prefetch") {
			return false
		}
	}
	dest := h.Get("Sec-Fetch-Dest")
	return dest == "" || dest == "document"
}

// bring delivers the answer that r carries, which begin has counted in. It goes
// on when the browser does not wait.
func (h *handler) bring(r *http.Request) <-chan Outcome {
	result := make(chan Outcome, 1)
	redirected := secret.New(h.target.address() + "?" + r.URL.RawQuery)
	go func() {
		defer h.delivering.Done()
		outcome := h.deliver(h.work, redirected)
		if outcome.final() {
			h.mu.Lock()
			h.over = true
			h.mu.Unlock()
		}
		result <- outcome
	}()
	return result
}
