package server

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"
)

// detached runs follow as the answer to r, with the header that w has, in a
// goroutine of its own on a connection that is taken out of net/http's hands.
// A stream lasts for hours: what net/http keeps for an answer in progress, two
// buffers and a deep stack, would be most of what a stream costs, and copying
// through them a good part of the time that a frame takes.
//
// It reports false, with nothing sent, where that cannot be: in tests without a
// server, for HTTP/1.0, which knows no chunks, and once the server stops.
func (s *Server) detached(w http.ResponseWriter, r *http.Request, follow func(ctx context.Context, send func([]byte) error)) bool {
	if !r.ProtoAtLeast(1, 1) || s.streaming.Err() != nil {
		return false
	}
	header := w.Header()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	if answered, ok := w.(*response); ok {
		answered.status = http.StatusOK
	}
	s.followers.Go(func() {
		defer conn.Close()
		defer func() {
			if p := recover(); p != nil {
				s.Log.Error("panic in a stream", "panic", p, "stack", string(debug.Stack()))
			}
		}()
		s.converse(conn, header, follow)
	})
	return true
}

// converse sends header, what follow sends, and the end.
func (s *Server) converse(conn net.Conn, header http.Header, follow func(context.Context, func([]byte) error)) {
	ctx, cancel := context.WithCancel(s.following)
	defer cancel()
	defer context.AfterFunc(s.streaming, cancel)()
	// Also unblocks a write, when the server gives up waiting.
	defer context.AfterFunc(s.following, func() { _ = conn.Close() })()
	chunk := chunks{conn: conn}
	if conn.SetDeadline(time.Time{}) != nil || sendHeader(conn, header) != nil {
		chunk.conn = nil // follow learns it from its first frame, and gives back what it holds
	} else {
		go awaitEnd(conn, cancel)
	}
	follow(ctx, chunk.send)
	_ = chunk.send(nil)
}

// awaitEnd calls gone when the client has gone. A client that sends something
// after its request is left alone: it is noticed when a write fails.
func awaitEnd(conn net.Conn, gone func()) {
	var one [1]byte
	if n, err := conn.Read(one[:]); n == 0 && err != nil {
		gone()
	}
}

func sendHeader(conn net.Conn, header http.Header) error {
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	header.Set("Transfer-Encoding", "chunked")
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 200 OK\r\n")
	if err := header.Write(&b); err != nil {
		return err
	}
	b.WriteString("\r\n")
	_, err := conn.Write(b.Bytes())
	return err
}

// chunks is the chunked transfer coding (RFC 9112 section 7.1).
type chunks struct {
	conn net.Conn
	buf  []byte
}

var errEnded = errors.New("stream has ended")

// send sends data as one chunk with one write. No data is the end.
func (c *chunks) send(data []byte) error {
	if c.conn == nil {
		return errEnded
	}
	c.buf = strconv.AppendInt(c.buf[:0], int64(len(data)), 16)
	c.buf = append(c.buf, "\r\n"...)
	c.buf = append(c.buf, data...)
	c.buf = append(c.buf, "\r\n"...)
	_, err := c.conn.Write(c.buf)
	if len(data) == 0 || err != nil {
		c.conn = nil
	}
	return err
}
