// Package sse writes and reads server-sent events, the text/event-stream format
// of the HTML standard (section 9.2).
//
// A handler starts with [NewWriter] and sends frames; a client passes the body
// of a response to [Read]. What to replay, when to reconnect and how long to
// wait for it is up to them.
package sse

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// defaultTimeout is long enough for a phone that changes networks and short
// enough not to keep a dead connection until the kernel gives up on it.
const defaultTimeout = 10 * time.Second

// Writer sends frames to one client. Each method sends one frame whole and at
// once; an error means that the client is gone or too slow, and the handler
// should return. A Writer is not safe for concurrent use.
type Writer struct {
	// Timeout bounds the writing of one frame. Zero means 10 s. It needs a
	// ResponseWriter that supports write deadlines, as those of a server do.
	Timeout time.Duration

	w  http.ResponseWriter
	rc *http.ResponseController
}

// NewWriter sets the headers of an event stream and sends them with status
// 200, so that the client knows at once that it is connected. Headers of the
// caller's must be set before. It returns an error that matches
// [http.ErrNotSupported], with nothing sent, if w cannot be flushed.
func NewWriter(w http.ResponseWriter) (*Writer, error) {
	s := &Writer{w: w, rc: http.NewResponseController(w)}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no") // nginx would collect frames otherwise
	if err := s.send(nil); err != nil {
		return nil, err
	}
	return s, nil
}

// Event sends an event. An empty id or typ is left out; the client then keeps
// the last id, and takes the type for "message". Neither may hold a line break,
// nor id a zero byte. Data may be anything: its lines (ended by \n, \r\n or \r)
// become data fields, which the client joins with \n.
func (s *Writer) Event(id, typ string, data []byte) error {
	// The standard makes clients ignore an id with a zero byte, and the
	// event would look as if it had come without one.
	if strings.ContainsAny(id, "\r\n\x00") {
		return fmt.Errorf("writing event: id %q holds a line break or a zero byte", id)
	}
	if strings.ContainsAny(typ, "\r\n") {
		return fmt.Errorf("writing event: type %q holds a line break", typ)
	}
	var b bytes.Buffer
	if id != "" {
		field(&b, "id", id)
	}
	if typ != "" {
		field(&b, "event", typ)
	}
	for _, line := range lines(string(data)) {
		field(&b, "data", line)
	}
	return s.frame(&b)
}

// Comment sends text where the client ignores it, which keeps a connection
// from looking idle. Each line becomes a comment.
func (s *Writer) Comment(text string) error {
	var b bytes.Buffer
	for _, line := range lines(text) {
		field(&b, "", line)
	}
	return s.frame(&b)
}

// Retry tells the client how long to wait before it reconnects, in whole
// milliseconds; a negative d counts as zero.
func (s *Writer) Retry(d time.Duration) error {
	var b bytes.Buffer
	field(&b, "retry", strconv.FormatInt(max(d, 0).Milliseconds(), 10))
	return s.frame(&b)
}

func (s *Writer) frame(b *bytes.Buffer) error {
	b.WriteByte('\n')
	return s.send(b.Bytes())
}

func (s *Writer) send(frame []byte) error {
	timeout := s.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	if err := s.deadline(time.Now().Add(timeout)); err != nil {
		return fmt.Errorf("writing event stream: %w", err)
	}
	// A nil frame is the headers alone: writing nothing would send them too,
	// but would also commit a writer that turns out not to flush.
	if frame != nil {
		if _, err := s.w.Write(frame); err != nil {
			return fmt.Errorf("writing event stream: %w", err)
		}
	}
	if err := s.rc.Flush(); err != nil {
		return fmt.Errorf("writing event stream: %w", err)
	}
	// The deadline belongs to the connection. Left behind, it would cut off
	// the end of this response and the next one.
	if err := s.deadline(time.Time{}); err != nil {
		return fmt.Errorf("writing event stream: %w", err)
	}
	return nil
}

func (s *Writer) deadline(t time.Time) error {
	err := s.rc.SetWriteDeadline(t)
	if errors.Is(err, http.ErrNotSupported) {
		return nil // a recorder or a wrapper, where writing does not block
	}
	return err
}

func field(b *bytes.Buffer, name, value string) {
	b.WriteString(name)
	b.WriteString(": ")
	b.WriteString(value)
	b.WriteByte('\n')
}

// lines splits at every line break the format knows; there is at least one line.
func lines(text string) []string {
	if strings.Contains(text, "\r") {
		text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	}
	return strings.Split(text, "\n")
}
