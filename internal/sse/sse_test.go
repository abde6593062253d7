package sse_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/internal/sse"
)

func TestWriterFrames(t *testing.T) {
	tests := []struct {
		name string
		send func(*sse.Writer) error
		want string
	}{
		{"event", func(w *sse.Writer) error { return w.Event("7", "login.started", []byte(`{"a":1}`)) },
			"id: 7\nevent: login.started\ndata: {\"a\":1}\n\n"},
		{"event without id and type", func(w *sse.Writer) error { return w.Event("", "", []byte("x")) }, "data: x\n\n"},
		{"event without data", func(w *sse.Writer) error { return w.Event("7", "", nil) }, "id: 7\ndata: \n\n"},
		{"lines", func(w *sse.Writer) error { return w.Event("", "", []byte("a\nb\r\nc\rd\n")) },
			"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"},
		{"comment", func(w *sse.Writer) error { return w.Comment("heartbeat") }, ": heartbeat\n\n"},
		{"comment of two lines", func(w *sse.Writer) error { return w.Comment("a\nid: 9") }, ": a\n: id: 9\n\n"},
		{"retry", func(w *sse.Writer) error { return w.Retry(3 * time.Second) }, "retry: 3000\n\n"},
		{"negative retry", func(w *sse.Writer) error { return w.Retry(-time.Second) }, "retry: 0\n\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			w := newWriter(t, rec)
			rec.Flushed = false
			if err := tt.send(w); err != nil {
				t.Fatal(err)
			}
			if got := rec.Body.String(); got != tt.want {
				t.Errorf("frame = %q, want %q", got, tt.want)
			}
			if !rec.Flushed {
				t.Error("the frame was not flushed")
			}
		})
	}
}

func TestWriterHeaders(t *testing.T) {
	rec := httptest.NewRecorder()
	rec.Header().Set("X-Own", "kept")
	newWriter(t, rec)
	want := http.Header{
		"Content-Type":      {"text/event-stream"},
		"Cache-Control":     {"no-cache, no-transform"},
		"X-Accel-Buffering": {"no"},
		"X-Own":             {"kept"},
	}
	if diff := cmp.Diff(want, rec.Result().Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if rec.Code != http.StatusOK || !rec.Flushed {
		t.Errorf("status %d, flushed %v, want 200 sent", rec.Code, rec.Flushed)
	}
}

func TestWriterRefusesWhatWouldSplitAFrame(t *testing.T) {
	rec := httptest.NewRecorder()
	w := newWriter(t, rec)
	for _, bad := range []struct{ id, typ string }{
		{"1\n2", ""}, {"1\r2", ""}, {"1\x002", ""}, {"", "a\nb"}, {"", "a\rb"},
	} {
		if err := w.Event(bad.id, bad.typ, nil); err == nil {
			t.Errorf("Event(%q, %q) succeeded, want an error", bad.id, bad.typ)
		}
	}
	if got := rec.Body.String(); got != "" {
		t.Errorf("refused events wrote %q", got)
	}
}

// plain is a ResponseWriter that cannot flush.
type plain struct{ rec *httptest.ResponseRecorder }

func (p plain) Header() http.Header         { return p.rec.Header() }
func (p plain) Write(b []byte) (int, error) { return p.rec.Write(b) }
func (p plain) WriteHeader(status int)      { p.rec.WriteHeader(status) }

func TestWriterNeedsFlush(t *testing.T) {
	if _, err := sse.NewWriter(plain{httptest.NewRecorder()}); !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("NewWriter = %v, want http.ErrNotSupported", err)
	}
}

// A client that stops reading must not keep a handler for longer than the
// timeout. It takes a real connection, whose buffers fill up.
func TestWriterGivesUpOnASlowClient(t *testing.T) {
	ended := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w, err := sse.NewWriter(rw)
		if err != nil {
			ended <- err
			return
		}
		w.Timeout = 50 * time.Millisecond
		data := make([]byte, 1<<20)
		for err == nil {
			err = w.Event("", "", data)
		}
		ended <- err
	}))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	select {
	case err := <-ended:
		if !strings.Contains(err.Error(), "timeout") {
			t.Errorf("the handler ended with %v, want a timeout", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the handler still writes")
	}
}

// The deadline of a frame ends with the frame: a stream may be silent for
// longer, and its end must still arrive.
func TestWriterLeavesNoDeadline(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w, err := sse.NewWriter(rw)
		if err != nil {
			t.Error(err)
			return
		}
		w.Timeout = time.Millisecond
		if err := w.Event("", "", []byte("a")); err != nil {
			t.Error(err)
		}
		<-time.After(20 * time.Millisecond) // the silence is the point
	}))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "data: a\n\n" {
		t.Errorf("body = %q, %v, want the frame and a clean end", body, err)
	}
}

func TestRead(t *testing.T) {
	tests := []struct {
		name, stream string
		want         []sse.Event
		err          error
	}{
		{"empty", "", nil, nil},
		{"three events", "retry: 3000\n\n: hello\n\nid: 1\nevent: a\ndata: x\n\ndata: y\n\nid: 2\ndata:  z\n\n",
			[]sse.Event{{"1", "a", []byte("x")}, {"1", "", []byte("y")}, {"2", "", []byte(" z")}}, nil},
		{"lines", "data: a\ndata\ndata:b\n\n", []sse.Event{{"", "", []byte("a\n\nb")}}, nil},
		{"carriage returns", "id: 1\r\ndata: a\r\n\r\ndata: b\r\r", []sse.Event{{"1", "", []byte("a")}, {"1", "", []byte("b")}}, nil},
		{"byte order mark", "\ufeffdata: a\n\n", []sse.Event{{"", "", []byte("a")}}, nil},
		{"unknown fields", "data: a\nother: b\n\n", []sse.Event{{"", "", []byte("a")}}, nil},
		{"cut after a line", "data: a\n\nid: 2\ndata: b\n", []sse.Event{{"", "", []byte("a")}}, io.ErrUnexpectedEOF},
		{"cut after the id", "id: 2\n", nil, io.ErrUnexpectedEOF},
		{"cut in a line", "data: a\n\ndata: b", []sse.Event{{"", "", []byte("a")}}, io.ErrUnexpectedEOF},
		{"too long", "data: a\n\ndata: " + strings.Repeat("b", 200) + "\n\n", []sse.Event{{"", "", []byte("a")}}, bufio.ErrTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := collect(strings.NewReader(tt.stream), 100)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if !errors.Is(err, tt.err) {
				t.Errorf("error = %v, want %v", err, tt.err)
			}
		})
	}
}

func TestReadPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	for _, rest := range []string{"", "id: 2\n", "id: 2"} {
		r := io.MultiReader(strings.NewReader("data: a\n\n"+rest), errorReader{broken})
		got, err := collect(r, 0)
		if diff := cmp.Diff([]sse.Event{{"", "", []byte("a")}}, got); diff != "" {
			t.Errorf("events before %q (-want +got):\n%s", rest, diff)
		}
		if !errors.Is(err, broken) {
			t.Errorf("error after %q = %v, want %v", rest, err, broken)
		}
	}
}

func TestReadEndsWithTheLoop(t *testing.T) {
	for e, err := range sse.Read(strings.NewReader("data: a\n\ndata: b\n\n"), 0) {
		if err != nil || string(e.Data) != "a" {
			t.Errorf("first event = %+v, %v", e, err)
		}
		break
	}
}

// An event is seen when it is complete, not when the next one comes.
func TestReadDoesNotLag(t *testing.T) {
	pr, pw := io.Pipe()
	seen := make(chan string)
	go func() {
		defer close(seen)
		for e, err := range sse.Read(pr, 0) {
			if err != nil {
				t.Error(err)
				return
			}
			seen <- string(e.Data)
		}
	}()
	for _, data := range []string{"a", "b", "c"} {
		io.WriteString(pw, "data: "+data+"\n\n")
		if got := <-seen; got != data {
			t.Errorf("event = %q, want %q", got, data)
		}
	}
	pw.Close()
	if got, ok := <-seen; ok {
		t.Errorf("one more event: %q", got)
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

func newWriter(t *testing.T, rw http.ResponseWriter) *sse.Writer {
	t.Helper()
	w, err := sse.NewWriter(rw)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func collect(r io.Reader, maxEvent int) ([]sse.Event, error) {
	var events []sse.Event
	for e, err := range sse.Read(r, maxEvent) {
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
	return events, nil
}
