package memhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/internal/sse"
)

func client(h http.HandlerFunc) *http.Client {
	return &http.Client{Transport: &memhttp.Transport{Handler: h}}
}

// A device login that is polled for its whole lifetime, in no time.
func TestPollingInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, polls := time.Now(), 0
		c := client(func(w http.ResponseWriter, r *http.Request) {
			polls++
			if time.Since(start) < 15*time.Minute {
				w.WriteHeader(http.StatusBadRequest)
			}
			fmt.Fprintf(w, "poll %d of %s", polls, r.FormValue("device_code"))
		})
		for {
			resp, err := c.Post("https://idp.example/token", "application/x-www-form-urlencoded",
				strings.NewReader("device_code=abc"))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if want := fmt.Sprintf("poll %d of abc", polls); string(body) != want {
				t.Fatalf("body = %q, want %q", body, want)
			}
			if resp.StatusCode == http.StatusOK {
				break
			}
			time.Sleep(5 * time.Second)
		}
		if want := 181; polls != want {
			t.Errorf("%d polls, want %d", polls, want)
		}
		if got, want := time.Since(start), 15*time.Minute; got != want {
			t.Errorf("took %v, want %v", got, want)
		}
	})
}

func TestEventsInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		c := client(func(rw http.ResponseWriter, r *http.Request) {
			w, err := sse.NewWriter(rw)
			if err != nil {
				t.Error(err)
				return
			}
			for i := 1; ; i++ {
				// The client may leave while it is being served.
				if err := w.Event(fmt.Sprint(i), "tick", []byte(fmt.Sprint(i))); err != nil && r.Context().Err() == nil {
					t.Error(err)
				}
				select {
				case <-r.Context().Done():
					ended = true
					return
				case <-time.After(15 * time.Second):
				}
			}
		})
		start := time.Now()
		resp, err := c.Get("http://usher.example/v1/events")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for e, err := range sse.Read(resp.Body, 0) {
			if err != nil {
				t.Fatal(err)
			}
			// Each event comes when it was sent.
			if got, want := time.Since(start), time.Duration(n)*15*time.Second; got != want {
				t.Errorf("event %s after %v, want %v", e.ID, got, want)
			}
			if n++; n == 5 {
				break
			}
		}
		resp.Body.Close()
		synctest.Wait()
		if !ended {
			t.Error("the handler goes on after its client has left")
		}
	})
}

func TestTimeoutBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handlerErr error
		c := client(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			handlerErr = r.Context().Err()
			if _, err := io.WriteString(w, "too late"); err != nil {
				t.Errorf("writing into the buffer = %v, want nil", err)
			}
			if err := http.NewResponseController(w).Flush(); err == nil {
				t.Error("Flush with the client gone succeeded, want an error")
			}
		})
		c.Timeout = 30 * time.Second
		start := time.Now()
		_, err := c.Get("http://idp.example/")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get = %v, want context.DeadlineExceeded", err)
		}
		if got := time.Since(start); got != c.Timeout {
			t.Errorf("gave up after %v, want %v", got, c.Timeout)
		}
		synctest.Wait()
		if !errors.Is(handlerErr, context.Canceled) {
			t.Errorf("the handler's context ended with %v, want context.Canceled", handlerErr)
		}
	})
}

func TestCancelWithinTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "start")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			if _, err := w.Write(make([]byte, 1<<20)); err == nil {
				t.Error("Write with the client gone succeeded, want an error")
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://idp.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if string(body) != "start" || !errors.Is(err, context.Canceled) {
			t.Errorf("body = %q, %v, want the start and context.Canceled", body, err)
		}
	})
}

func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := &closeRecorder{Reader: strings.NewReader("a")}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://idp.example/", body)
	if err != nil {
		t.Fatal(err)
	}
	c := client(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") })
	if _, err := c.Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("Do = %v, want context.Canceled", err)
	}
	if !body.closed {
		t.Error("the request body was not closed")
	}
}

// A request body that never ends does not hold an exchange that is over.
func TestUnreadRequestBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pr, pw := io.Pipe()
		c := client(func(http.ResponseWriter, *http.Request) {})
		resp, err := c.Post("http://idp.example/", "text/plain", pr)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if _, err := pw.Write([]byte("a")); err == nil {
			t.Error("the request body is still open")
		}
	})
}

func TestAFullDuplexExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			for _, err := range []error{
				rc.EnableFullDuplex(),
				rc.SetReadDeadline(time.Now().Add(time.Second)),
				rc.SetWriteDeadline(time.Now().Add(time.Second)),
				rc.Flush(),
			} {
				if err != nil {
					t.Error(err)
				}
			}
			b := make([]byte, 1)
			for {
				if _, err := r.Body.Read(b); err != nil {
					return
				}
				w.Write(b)
				rc.Flush()
			}
		})
		pr, pw := io.Pipe()
		resp, err := c.Post("http://idp.example/", "text/plain", pr)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		for _, want := range "abc" {
			fmt.Fprint(pw, string(want))
			if _, err := io.ReadFull(resp.Body, b); err != nil || b[0] != byte(want) {
				t.Fatalf("echo of %c = %c, %v", want, b[0], err)
			}
		}
		pw.Close()
		if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
			t.Errorf("rest = %q, %v, want a proper end", rest, err)
		}
		resp.Body.Close()
	})
}

func TestAbortedExchange(t *testing.T) {
	c := client(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := c.Get("http://idp.example/"); !errors.Is(err, io.EOF) {
		t.Errorf("Get = %v, want io.EOF", err)
	}
}

// The handler changes its header map and its request freely; neither is the
// client's.
func TestNothingIsShared(t *testing.T) {
	req := newRequest(t, http.MethodGet, "/path", nil)
	req.Header.Set("X-Key", "client")
	type key struct{}
	req = req.WithContext(context.WithValue(req.Context(), key{}, "value"))
	c := client(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(key{}) != nil {
			t.Error("the handler sees the client's context values")
		}
		r.Header.Set("X-Key", "handler")
		r.URL.Path = "/other"
		w.Header().Set("X-Answer", "1")
		w.(http.Flusher).Flush()
		w.Header().Set("X-Answer", "2")
	})
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Error(err)
	}
	resp.Body.Close()
	if got := req.Header.Get("X-Key") + req.URL.Path; got != "client/path" {
		t.Errorf("the client's request = %q, want it untouched", got)
	}
	if got := resp.Header.Get("X-Answer"); got != "1" {
		t.Errorf("X-Answer = %q, want what was flushed", got)
	}
}

type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error {
	c.closed = true
	return nil
}
