package apispec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// dataSchema is the schema that x-sse-data of the operation's stream names.
func (s *Spec) dataSchema(op *operation) (*openapi3.Schema, error) {
	response := op.route.Operation.Responses.Status(http.StatusOK)
	if response == nil || response.Value.Content["text/event-stream"] == nil {
		return nil, errors.New("no stream is described")
	}
	name, _ := response.Value.Content["text/event-stream"].Extensions["x-sse-data"].(string)
	schema := s.doc.Components.Schemas[strings.TrimPrefix(name, "#/components/schemas/")]
	if schema == nil {
		return nil, fmt.Errorf("x-sse-data names %q, which does not exist", name)
	}
	return schema.Value, nil
}

// frames checks the frames of a stream as they are read from it.
type frames struct {
	io.ReadCloser
	spec   *Spec
	op     *operation
	schema *openapi3.Schema
	report func(error)
	rest   []byte // of the frame that is not whole yet
}

func (f *frames) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	f.rest = append(f.rest, p[:n]...)
	for {
		frame, rest, found := bytes.Cut(f.rest, []byte("\n\n"))
		if !found {
			return n, err
		}
		f.rest = rest
		if problem := f.check(string(frame)); problem != nil {
			f.report(fmt.Errorf("%s sent the frame %q: %w", f.op.id, excerpt(frame), problem))
		}
	}
}

// plainFrame is a frame without an event.
var plainFrame = regexp.MustCompile(`^(retry: [0-9]+|: [a-z]+)$`)

// check holds one frame against the schema. The frame repeats the type and the
// id of its data, and each field stands once.
func (f *frames) check(frame string) error {
	if plainFrame.MatchString(frame) {
		return nil
	}
	fields := map[string]string{}
	for line := range strings.SplitSeq(frame, "\n") {
		name, value, found := strings.Cut(line, ": ")
		if _, again := fields[name]; !found || again || !slices.Contains([]string{"id", "event", "data"}, name) {
			return fmt.Errorf("the line %q is not expected", line)
		}
		fields[name] = value
	}
	decoder := json.NewDecoder(strings.NewReader(fields["data"]))
	decoder.UseNumber()
	var data map[string]any
	if err := decoder.Decode(&data); err != nil {
		return err
	}
	if data["type"] != fields["event"] {
		return fmt.Errorf("the event is %q and its data of type %v", fields["event"], data["type"])
	}
	id := ""
	if data["id"] != nil {
		id = fmt.Sprint(data["id"])
	}
	if id != fields["id"] {
		return fmt.Errorf("the id is %q and that of the data %q", fields["id"], id)
	}
	f.spec.saw(sighting{operation: f.op.id, event: fields["event"]})
	return f.schema.VisitJSON(data, openapi3.VisitAsResponse())
}
