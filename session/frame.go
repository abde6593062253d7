package session

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/usherauth/usher/api"
)

// An event is encoded once, but for its id, which every session has its own of.
type event struct {
	typ   string
	about string
	rest  []byte // the JSON after the id
}

// encode encodes e, which has no number yet.
func encode(e api.SessionEvent) (event, error) {
	e.ID, e.V = 0, 1
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // as JSON.stringify
	if err := enc.Encode(e); err != nil {
		return event{}, err
	}
	text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return event{typ: e.Type, rest: text[1:]}, nil // without the brace before the id
}

// size is what the event counts in the backlog of a subscriber: its JSON,
// without the id.
func (e event) size() int64 { return int64(len(e.rest)) + 1 }

// appendFrame appends the event as a frame of a stream in which its number is
// id.
func (e event) appendFrame(b []byte, id uint64) []byte {
	b = append(b, "id: "...)
	b = strconv.AppendUint(b, id, 10)
	b = append(b, "\nevent: "...)
	b = append(b, e.typ...)
	b = append(b, "\ndata: {\"id\":"...)
	b = strconv.AppendUint(b, id, 10)
	b = append(b, ',')
	b = append(b, e.rest...)
	return append(b, "\n\n"...)
}

// appendNotice appends a frame that speaks of the stream itself, and so has no
// number.
func appendNotice(b []byte, typ string, data any) []byte {
	e, err := encode(api.SessionEvent{Type: typ, Data: data})
	if err != nil {
		panic("session: internal error: " + err.Error()) // our own plain structs
	}
	b = append(b, "event: "...)
	b = append(b, typ...)
	b = append(b, "\ndata: {"...)
	b = append(b, e.rest...)
	return append(b, "\n\n"...)
}
