package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/api"
)

// writeTimeout bounds each write of an answer, which as a whole may last. A
// client that reads nothing would hold its connection for good otherwise.
const writeTimeout = 10 * time.Second

// conn is an accepted connection. It gives its slot back when it is closed,
// bounds writes, and speaks JSON where net/http does not: a request that
// net/http cannot parse never reaches a handler, and is answered by it in plain
// text.
type conn struct {
	net.Conn
	asked atomic.Bool // a request of it has reached a handler
	// since is when it was accepted or last asked, until that is answered (in
	// nanoseconds of Unix time); 0 between requests.
	since atomic.Int64
	// unused is since when no handler has been at work for it, 0 while one is.
	unused atomic.Int64
	taken  bool // out of net/http's hands, by the handler that runs
	// gone is told that the connection is closed.
	gone func()
	// until is the deadline of writes, in nanoseconds of Unix time.
	until atomic.Int64
	// recent is the beginning of what was read last; there is the request
	// line when net/http refuses it.
	recent []byte
}

// plainHead is how net/http goes on after the status line of its own refusals.
// An answer of a handler never has this: it carries a date.
const plainHead = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.recent = append(c.recent[:0], p[:min(n, 2048)]...)
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	if err := c.putOff(); err != nil {
		return 0, err
	}
	end := bytes.Index(p, []byte("\r\n"))
	if end < 0 || !bytes.HasPrefix(p, []byte("HTTP/1.")) || !bytes.HasPrefix(p[end:], []byte(plainHead)) {
		return c.Conn.Write(p)
	}
	status := p[:end]
	message := "Malformed request"
	if line, _, _ := bytes.Cut(c.recent, []byte("\n")); badEscape(line) {
		message = "Malformed URL encoding"
	}
	body, err := json.Marshal(api.CompatError{Error: message, Code: string(api.CodeInvalidRequest)})
	if err != nil {
		return 0, err
	}
	_, err = fmt.Fprintf(c.Conn, "%s\r\nContent-Type: %s\r\nX-Content-Type-Options: nosniff\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, typeCompatJSON, len(body), body)
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetDeadline is what net/http takes all deadlines away with when a stream takes
// the connection over.
func (c *conn) SetDeadline(t time.Time) error {
	c.until.Store(0)
	return c.Conn.SetDeadline(t)
}

// SetWriteDeadline sets the deadline of writes until the next one.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.until.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// putOff sets the deadline of a write. One that is less than a second off is let
// be: a timer is not moved for nothing.
func (c *conn) putOff() error {
	now := time.Now()
	if left := c.until.Load() - now.UnixNano(); left > int64(writeTimeout-time.Second) && left <= int64(writeTimeout) {
		return nil
	}
	until := now.Add(writeTimeout)
	c.until.Store(until.UnixNano())
	return c.Conn.SetWriteDeadline(until)
}

// badEscape reports whether a percent sign in line is not followed by two
// hexadecimal digits (RFC 3986 section 2.1).
func badEscape(line []byte) bool {
	hex := func(i int) bool {
		return i < len(line) && bytes.IndexByte([]byte("0123456789abcdefABCDEF"), line[i]) >= 0
	}
	for i, c := range line {
		if c == '%' && !(hex(i+1) && hex(i+2)) {
			return true
		}
	}
	return false
}

func (c *conn) Close() error {
	defer c.gone()
	return c.Conn.Close()
}

// CloseWrite lets net/http end an answer without a reset, which could destroy
// it on the way.
func (c *conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}
