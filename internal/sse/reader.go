package sse

import (
	"fmt"
	"io"
	"iter"

	"github.com/tmaxmax/go-sse"
)

// defaultMaxEvent bounds an event when the caller does not.
const defaultMaxEvent = 64 << 10

// Event is an event as a client sees it.
type Event struct {
	// ID is the last event id of the stream: the one sent with this event,
	// or else the most recent before it. It is what a client sends as
	// Last-Event-ID when it reconnects after this event.
	ID string
	// Type is the event's type; empty means "message".
	Type string
	// Data is the event's data, its lines joined with \n.
	Data []byte
}

// Read yields the events of r until its end. An event of more than maxEvent
// bytes, field names included, ends the stream with an error that matches
// [bufio.ErrTooLong]; zero or less means 64 KiB. Any other error is one of
// reading; io.ErrUnexpectedEOF also stands for a stream that ends within an
// event, which is dropped. The error comes last and with a zero Event.
//
// Comments and retry fields are skipped. To end a Read that waits for data,
// close the body it reads from.
func Read(r io.Reader, maxEvent int) iter.Seq2[Event, error] {
	if maxEvent <= 0 {
		maxEvent = defaultMaxEvent
	}
	return func(yield func(Event, error) bool) {
		frames := &wholeFrames{r: r}
		for e, err := range sse.Read(frames, &sse.ReadConfig{MaxEventSize: maxEvent}) {
			if err != nil {
				// The parser has its own word for a line without an end,
				// which hides why there was none.
				if frames.err != nil {
					err = frames.err
				}
				yield(Event{}, fmt.Errorf("reading event stream: %w", err))
				return
			}
			if !yield(Event{ID: e.LastEventID, Type: e.Type, Data: []byte(e.Data)}, nil) {
				return
			}
		}
	}
}

// wholeFrames reports an end of r that does not come after a blank line as
// io.ErrUnexpectedEOF. The parser takes what it has at a plain EOF for an
// event; a client that believed the id of a truncated event would never ask
// for the rest of it.
type wholeFrames struct {
	r    io.Reader
	err  error // what ended the reading, unless it was a proper end
	open bool  // bytes since the last blank line
	line bool  // bytes since the last line break
	cr   bool  // the last byte was \r, so that a \n would belong to it
}

func (f *wholeFrames) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	for _, c := range p[:n] {
		switch {
		case c == '\n' && f.cr: // the rest of \r\n
		case c == '\n' || c == '\r':
			f.open, f.line = f.line, false
		default:
			f.open, f.line = true, true
		}
		f.cr = c == '\r'
	}
	if err == io.EOF && f.open {
		err = io.ErrUnexpectedEOF
	}
	if err != io.EOF {
		f.err = err
	}
	return n, err
}
