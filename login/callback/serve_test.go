package callback_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/login/callback"
	"github.com/usherauth/usher/secret"
)

// serve serves l in the background. The returned function ends it, and the test
// does if nobody calls it.
func serve(t *testing.T, l *callback.Listener, deliver callback.Deliver) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Serve(ctx, "Acme", deliver)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func always(o callback.Outcome) callback.Deliver {
	return func(context.Context, secret.String) callback.Outcome { return o }
}

// answer is a whole answer.
type answer struct {
	status int
	header http.Header
	body   string
	last   bool // on its connection
}

// send sends bytes as they are, in which HOST stands for the own name.
func send(t *testing.T, l *callback.Listener, address, request string) answer {
	t.Helper()
	port := strconv.Itoa(l.Port())
	c, err := net.Dial("tcp", net.JoinHostPort(address, port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go io.WriteString(c, strings.ReplaceAll(request, "HOST", net.JoinHostPort(address, port))) // it may be refused before its end
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("answer to %.80q: %v", request, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("answer to %.80q: %v", request, err)
	}
	return answer{response.StatusCode, response.Header, string(body), response.Close}
}

func get(target string, headers ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: HOST\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n"
}

func TestWhatIsNoAnswerIsRefused(t *testing.T) {
	l := listen(t, callback.Config{Provider: "acme"})
	var delivered atomic.Int32
	serve(t, l, func(context.Context, secret.String) callback.Outcome {
		delivered.Add(1)
		return callback.LoggedIn
	})
	const good = "/callback/acme?code=c0de&state=st4te"
	long := strings.Repeat("a", 33<<10)
	for name, tt := range map[string]struct {
		request string
		status  int
	}{
		"favicon":              {get("/favicon.ico"), 404},
		"the root":             {get("/?code=c0de&state=st4te"), 404},
		"another provider's":   {get("/callback/acme2?code=c0de&state=st4te"), 404},
		"below":                {get("/callback/acme/?code=c0de&state=st4te"), 404},
		"escaped otherwise":    {get("/callback/%61cme?code=c0de&state=st4te"), 404},
		"dots":                 {get("/x/../callback/acme?code=c0de&state=st4te"), 404},
		"HEAD":                 {"HEAD " + good + " HTTP/1.1\r\nHost: HOST\r\n\r\n", 405},
		"POST":                 {"POST " + good + " HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n", 405},
		"POST of a form":       {"POST /callback/acme HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 23\r\n\r\ncode=c0de&state=st4te12", 405},
		"OPTIONS":              {"OPTIONS " + good + " HTTP/1.1\r\nHost: HOST\r\nOrigin: https://evil.test\r\n\r\n", 405},
		"a body":               {get(good, "Content-Length: 5") + "hello", 400},
		"a body that never is": {get(good, "Content-Length: 5"), 400},
		"a chunked body":       {get(good, "Transfer-Encoding: chunked") + "0\r\n\r\n", 400},
		"rebinding":            {"GET " + good + " HTTP/1.1\r\nHost: evil.test\r\n\r\n", 400},
		"rebinding, our port":  {fmt.Sprintf("GET %s HTTP/1.1\r\nHost: evil.test:%d\r\n\r\n", good, l.Port()), 400},
		"no port":              {"GET " + good + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400},
		"another port":         {"GET " + good + " HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", 400},
		"localhost unasked":    {fmt.Sprintf("GET %s HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", good, l.Port()), 400},
		"absolute, elsewhere":  {"GET http://evil.test" + good + " HTTP/1.1\r\nHost: HOST\r\n\r\n", 400},
		"no host":              {"GET " + good + " HTTP/1.0\r\n\r\n", 400},
		"prefetch":             {get(good, "Sec-Purpose: prefetch;prerender"), 400},
		"older prefetch":       {get(good, "Purpose: prefetch"), 400},
		"oldest prefetch":      {get(good, "X-Moz: prefetch"), 400},
		"an image":             {get(good, "Sec-Fetch-Dest: image"), 400},
		"a frame":              {get(good, "Sec-Fetch-Dest: iframe"), 400},
		"a script's":           {get(good, "Sec-Fetch-Dest: empty"), 400},
		"no query":             {get("/callback/acme"), 400},
		"a fragment's page":    {get("/callback/acme?"), 400},
		"neither code nor err": {get("/callback/acme?state=st4te"), 400},
		"a broken query":       {get("/callback/acme?code=%zz&state=st4te"), 400},
		"a long query":         {get("/callback/acme?state=st4te&code=" + long), 400},
		"a longer query":       {get("/callback/acme?state=st4te&code=" + strings.Repeat(long, 4)), 431},
		"a long header":        {get(good, "X-Long: "+strings.Repeat(long, 4)), 431},
		"no HTTP":              {"hello\r\n\r\n", 400},
	} {
		a := send(t, l, "127.0.0.1", tt.request)
		if a.status != tt.status {
			t.Errorf("%s: %d %q, want %d", name, a.status, a.body, tt.status)
		}
		if strings.Contains(a.body, "c0de") || strings.Contains(a.body, "st4te") {
			t.Errorf("%s: the answer repeats the request: %q", name, a.body)
		}
	}
	if n := delivered.Load(); n != 0 {
		t.Errorf("%d requests were taken for answers", n)
	}
	for _, address := range []string{"::1", "127.0.0.1"} {
		request := get(good, "Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate")
		if a := send(t, l, address, request); a.status != 200 && address == "::1" || a.status != 410 && address == "127.0.0.1" {
			t.Errorf("the answer at %s: %d %q", address, a.status, a.body)
		}
	}
	if n := delivered.Load(); n != 1 {
		t.Errorf("%d answers were delivered, want the first alone", n)
	}
}

func TestNameOfTheProvidersFile(t *testing.T) {
	l := listen(t, callback.Config{RedirectURIs: []string{"http://localhost/cb?keep=1"}})
	var got atomic.Value
	serve(t, l, func(_ context.Context, u secret.String) callback.Outcome {
		got.Store(u.Reveal())
		return callback.LoggedIn
	})
	request := fmt.Sprintf("GET /cb?keep=1&code=c HTTP/1.1\r\nHost: LocalHost:%d\r\n\r\n", l.Port())
	if a := send(t, l, "127.0.0.1", request); a.status != 200 {
		t.Fatalf("answered %d %q", a.status, a.body)
	}
	if want := fmt.Sprintf("http://localhost:%d/cb?keep=1&code=c", l.Port()); got.Load() != want {
		t.Errorf("delivered %v, want %s", got.Load(), want)
	}
}

// When the login has ended by the answer, Serve is asked to end at the same time:
// the page still tells how it ended, and nothing listens any more.
func TestEndWaitsForThePage(t *testing.T) {
	l := listen(t, callback.Config{Provider: "acme"})
	exchanging, exchanged := make(chan struct{}), make(chan struct{})
	stop := serve(t, l, func(ctx context.Context, _ secret.String) callback.Outcome {
		close(exchanging)
		select {
		case <-exchanged:
			return callback.LoggedIn
		case <-ctx.Done():
			return callback.Unfinished
		}
	})
	page := make(chan answer, 1)
	go func() { page <- send(t, l, "127.0.0.1", get("/callback/acme?code=c&state=s")) }()
	<-exchanging
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	awaitRefusal(t, l)
	close(exchanged)
	if a := <-page; a.status != 200 || !strings.Contains(a.body, "You are logged in to Acme.") {
		t.Errorf("the page: %d %q", a.status, words(a.body))
	}
	<-stopped
}

// awaitRefusal waits until nobody listens.
func awaitRefusal(t *testing.T, l *callback.Listener) {
	t.Helper()
	for t.Context().Err() == nil {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Port())))
		if err != nil {
			return
		}
		c.Close()
	}
}

// A browser that has left does not take its answer along.
func TestAnswerOfABrowserThatLeaves(t *testing.T) {
	l := listen(t, callback.Config{Provider: "acme"})
	begun, left, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	serve(t, l, func(ctx context.Context, _ secret.String) callback.Outcome {
		close(begun)
		<-left
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond): // for what must not happen
		}
		ended <- ctx.Err()
		return callback.LoggedIn
	})
	c := dial(t, l)
	fmt.Fprintf(c, "GET /callback/acme?code=c&state=s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", l.Port())
	<-begun
	c.Close()
	close(left)
	if err := <-ended; err != nil {
		t.Errorf("the delivery was cut off: %v", err)
	}
}

// Connections that say nothing are bounded. They keep neither the browser out nor
// Serve from ending.
func TestIdleConnections(t *testing.T) {
	l := listen(t, callback.Config{Provider: "acme"})
	stop := serve(t, l, always(callback.Stray))
	var open []net.Conn
	for range 65 {
		open = append(open, dial(t, l))
	}
	// They are accepted in their order: the last one takes the place of the first.
	for _, i := range []int{64, 0} {
		taken := i > 0
		fmt.Fprintf(open[i], "GET /callback/acme?code=c HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", l.Port())
		if _, err := http.ReadResponse(bufio.NewReader(open[i]), nil); (err == nil) != taken {
			t.Errorf("connection %d: %v, want taken %v", i, err, taken)
		}
	}
	stop()
	for i, c := range open {
		if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("connection %d is still open: %v", i, err)
		}
	}
}

func dial(t *testing.T, l *callback.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Port())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
