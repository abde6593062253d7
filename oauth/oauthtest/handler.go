package oauthtest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// How an answer ends after its last byte.
const (
	EndClose = ""      // the connection is closed
	EndHang  = "hang"  // nothing more comes
	EndDrip  = "drip"  // one more byte every 20 ms
	EndReset = "reset" // the connection is reset
)

// Answer is what the server sends: Raw, or else an HTTP/1.1 answer made of Status, Header and Body with a
// Content-Length. In all of them {issuer} stands for the server's own base URL.
type Answer struct {
	Status int      `json:"status,omitempty"`
	Header []string `json:"header,omitempty"` // lines; nil means Content-Type: application/json
	Body   []Part   `json:"body,omitempty"`
	Raw    []Part   `json:"raw,omitempty"`
	End    string   `json:"end,omitempty"`
}

// Part is a piece of an answer: a text, or bytes in base64, a text many times over, or parts compressed by gzip. In JSON a
// plain text is a string.
type Part struct {
	Text   string `json:"text,omitempty"`
	Base64 string `json:"base64,omitempty"`
	Repeat string `json:"repeat,omitempty"`
	Times  int    `json:"times,omitempty"`
	Gzip   []Part `json:"gzip,omitempty"`
}

// UnmarshalJSON reads a string or an object.
func (p *Part) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		return json.Unmarshal(text, &p.Text)
	}
	type object Part
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode((*object)(p))
}

// Handler serves the answer of c to every request, byte by byte over the connection, so that it need not be HTTP.
// It needs a server whose connections can be hijacked, which those of HTTP/1 can.
func Handler(c Case) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Unread bytes of the request would turn the close at the end into a reset.
		io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic("oauthtest: internal error: " + err.Error())
		}
		defer conn.Close()
		issuer := "http://" + r.Host
		out := bufio.NewWriterSize(conn, 64<<10)
		c.Answer.write(out, issuer)
		// A client that has seen enough closes early; that is part of the case.
		if out.Flush() != nil {
			return
		}
		end(conn, c.Answer.End)
	})
}

func end(conn net.Conn, how string) {
	switch how {
	case EndHang:
		io.Copy(io.Discard, conn) // returns when the client leaves
	case EndDrip:
		for range time.Tick(20 * time.Millisecond) {
			if _, err := conn.Write([]byte(" ")); err != nil {
				return
			}
		}
	case EndReset:
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
	}
}

func (a Answer) write(w io.Writer, issuer string) {
	if a.Raw != nil {
		writeParts(w, a.Raw, issuer)
		return
	}
	var body bytes.Buffer
	writeParts(&body, a.Body, issuer)
	header := a.Header
	if header == nil {
		header = []string{"Content-Type: application/json"}
	}
	fmt.Fprintf(w, "HTTP/1.1 %03d %s\r\n", a.Status, http.StatusText(a.Status))
	for _, line := range header {
		fmt.Fprintf(w, "%s\r\n", strings.ReplaceAll(line, "{issuer}", issuer))
	}
	fmt.Fprintf(w, "Content-Length: %d\r\nConnection: close\r\n\r\n", body.Len())
	body.WriteTo(w)
}

// writeParts stops at the first error, which is the client's doing.
func writeParts(w io.Writer, parts []Part, issuer string) error {
	for _, p := range parts {
		if err := p.write(w, issuer); err != nil {
			return err
		}
	}
	return nil
}

func (p Part) write(w io.Writer, issuer string) error {
	if _, err := io.WriteString(w, strings.ReplaceAll(p.Text, "{issuer}", issuer)); err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(p.Base64)
	if err != nil {
		panic("oauthtest: internal error: a part is not base64: " + err.Error())
	}
	if _, err := w.Write(raw); err != nil {
		return err
	}
	if err := p.writeRepeated(w); err != nil {
		return err
	}
	if p.Gzip == nil {
		return nil
	}
	packed := gzip.NewWriter(w)
	if err := writeParts(packed, p.Gzip, issuer); err != nil {
		return err
	}
	return packed.Close()
}

// writeRepeated writes large blocks, because a million small writes take seconds.
func (p Part) writeRepeated(w io.Writer) error {
	const perBlock = 4096
	block := strings.Repeat(p.Repeat, min(p.Times, perBlock))
	for left := p.Times; left > 0; left -= perBlock {
		if left < perBlock {
			block = strings.Repeat(p.Repeat, left)
		}
		if _, err := io.WriteString(w, block); err != nil {
			return err
		}
	}
	return nil
}
