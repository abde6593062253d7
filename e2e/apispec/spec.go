package apispec

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
)

// Spec is a document and what has been seen of it. It is safe for concurrent
// use.
type Spec struct {
	doc        *openapi3.T
	operations []*operation
	// What answers a request that is no operation.
	native, compatible *operation

	mu   sync.Mutex
	seen map[sighting]int
}

// A sighting is an answer that came: a status of an operation, with the code of
// an error, or the type of an event that a stream carried.
type sighting struct {
	operation string
	status    int
	code      string
	event     string
}

// An operation is one method of one path, or the answers to what is none.
type operation struct {
	id     string
	method string
	path   []string // segments; {name} stands for any
	route  *routers.Route
}

// Load reads the document and checks it, its examples included.
func Load(file string) (*Spec, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("%s is not a valid document: %w", file, err)
	}
	s := &Spec{doc: doc, seen: make(map[sighting]int)}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			s.operations = append(s.operations, &operation{
				id: op.OperationID, method: method, path: strings.Split(path, "/"),
				route: &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op},
			})
		}
	}
	slices.SortFunc(s.operations, func(a, b *operation) int { return strings.Compare(a.id, b.id) })
	if s.native, err = s.noOperation("native"); err != nil {
		return nil, err
	}
	s.compatible, err = s.noOperation("compatible")
	return s, err
}

// noOperation reads the answers under x-no-operation for a surface.
func (s *Spec) noOperation(surface string) (*operation, error) {
	surfaces, _ := s.doc.Extensions["x-no-operation"].(map[string]any)
	described, ok := surfaces[surface].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("x-no-operation says nothing about %s", surface)
	}
	responses := openapi3.NewResponses()
	responses.Delete("default")
	for status, response := range described {
		ref, _ := response.(map[string]any)["$ref"].(string)
		found := s.doc.Components.Responses[strings.TrimPrefix(ref, "#/components/responses/")]
		if found == nil {
			return nil, fmt.Errorf("x-no-operation: %s %s refers to %q, which does not exist", surface, status, ref)
		}
		responses.Set(status, found)
	}
	id := "no operation (" + surface + ")"
	op := &openapi3.Operation{OperationID: id, Responses: responses}
	return &operation{id: id, route: &routers.Route{Spec: s.doc, PathItem: &openapi3.PathItem{}, Operation: op}}, nil
}

// find returns the operation that r asks for, with the values of its path.
func (s *Spec) find(r *http.Request) (*operation, map[string]string) {
	none, fold := s.compatible, true
	escaped := r.URL.EscapedPath()
	switch {
	case escaped == "/v1" || strings.HasPrefix(escaped, "/v1/"):
		none, fold = s.native, false
	case len(escaped) > 1:
		escaped = strings.TrimSuffix(escaped, "/")
	}
	segments := strings.Split(escaped, "/")
	for i, segment := range segments {
		text, err := url.PathUnescape(segment)
		if err != nil || !utf8.ValidString(text) {
			return none, nil
		}
		segments[i] = text
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, op := range s.operations {
		if values, ok := op.match(segments, fold); ok && op.method == method {
			return op, values
		}
	}
	return none, nil
}

// match compares a path with the operation's; fold ignores case.
func (op *operation) match(segments []string, fold bool) (map[string]string, bool) {
	if len(segments) != len(op.path) {
		return nil, false
	}
	values := map[string]string{}
	for i, want := range op.path {
		name, isName := strings.CutPrefix(want, "{")
		switch {
		case isName && segments[i] != "":
			values[strings.TrimSuffix(name, "}")] = segments[i]
		case segments[i] == want, fold && strings.EqualFold(segments[i], want):
		default:
			return nil, false
		}
	}
	return values, true
}

func (s *Spec) saw(what sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[what]++
}
