package sse_test

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/internal/sse"
)

// FuzzRoundTrip: what Writer accepts, Read gives back.
func FuzzRoundTrip(f *testing.F) {
	f.Add("1", "a", []byte(`{"x":1}`), "heartbeat")
	f.Add("", "", []byte(nil), "")
	f.Add(" 1", " a", []byte(" x\n\n\r\r\ny\r"), "a\nb\r")
	f.Add("id: 1", "data: ", []byte("id: 2\n\nevent: b"), "\ndata: c\n\n")
	f.Fuzz(func(t *testing.T, id, typ string, data []byte, comment string) {
		rec := httptest.NewRecorder()
		w := newWriter(t, rec)
		if err := w.Event(id, typ, data); err != nil {
			if !strings.ContainsAny(id, "\r\n\x00") && !strings.ContainsAny(typ, "\r\n") {
				t.Fatalf("Event(%q, %q) = %v, want nil", id, typ, err)
			}
			return
		}
		if err := w.Comment(comment); err != nil {
			t.Fatal(err)
		}
		if err := w.Event("", typ, data); err != nil {
			t.Fatal(err)
		}
		got, err := collect(rec.Body, len(id)+len(typ)+7*len(data)+3*len(comment)+200)
		if err != nil {
			t.Fatal(err)
		}
		normal := bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
		event := sse.Event{ID: id, Type: typ, Data: append([]byte{}, normal...)}
		if diff := cmp.Diff([]sse.Event{event, event}, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// FuzzRead: no stream makes Read panic or hang, what it yields is bounded, and
// how the bytes are cut into reads changes nothing.
func FuzzRead(f *testing.F) {
	f.Add([]byte("id: 1\nevent: a\ndata: x\n\n: c\n\nretry: 1\n\n"))
	f.Add([]byte("\ufeffdata:\r\n\r\rdata: b\r\n"))
	f.Add([]byte("\n\n\n\nid\x00: 1\n::\n\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		const max = 64
		got, err := collect(bytes.NewReader(stream), max)
		for _, e := range got {
			if n := len(e.Type) + len(e.Data); n > max {
				t.Errorf("event of %d bytes, want at most %d", n, max)
			}
		}
		again, errAgain := collect(iotest.OneByteReader(bytes.NewReader(stream)), max)
		if diff := cmp.Diff(got, again); diff != "" {
			t.Errorf("events read byte by byte differ (-at once +byte by byte):\n%s", diff)
		}
		if (err == nil) != (errAgain == nil) {
			t.Errorf("error = %v, byte by byte %v", err, errAgain)
		}
	})
}
