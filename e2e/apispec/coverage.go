package apispec

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// Unseen lists what is described and did not come: statuses of operations, codes
// of their errors, and types of events.
func (s *Spec) Unseen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var unseen []string
	for _, op := range append(slices.Clone(s.operations), s.native, s.compatible) {
		for _, what := range s.described(op) {
			if s.seen[what] == 0 {
				unseen = append(unseen, what.String())
			}
		}
	}
	return unseen
}

// described is all that could be seen of an operation.
func (s *Spec) described(op *operation) []sighting {
	var all []sighting
	responses := op.route.Operation.Responses.Map()
	for _, text := range slices.Sorted(maps.Keys(responses)) {
		status, err := strconv.Atoi(text)
		if err != nil {
			// "default" and "4XX" would let everything pass.
			panic(fmt.Sprintf("apispec: %s describes %q, which is not one status", op.id, text))
		}
		all = append(all, sighting{operation: op.id, status: status})
		codes, _ := codesOf(responses[text].Value)
		for _, code := range codes {
			all = append(all, sighting{operation: op.id, status: status, code: code})
		}
	}
	if schema, err := s.dataSchema(op); err == nil && schema.Discriminator != nil {
		for _, event := range slices.Sorted(maps.Keys(schema.Discriminator.Mapping)) {
			all = append(all, sighting{operation: op.id, event: event})
		}
	}
	return all
}

func (x sighting) String() string {
	switch {
	case x.event != "":
		return x.operation + " event " + x.event
	case x.code != "":
		return fmt.Sprintf("%s %d %s", x.operation, x.status, x.code)
	default:
		return fmt.Sprintf("%s %d %s", x.operation, x.status, http.StatusText(x.status))
	}
}

// An Operation is one method of one path of the document, such as
// "/v1/logins/{id}".
type Operation struct {
	ID, Method, Path string
	// Statuses are those that are described.
	Statuses []int
}

// Operations lists the operations of the document by their ids.
func (s *Spec) Operations() []Operation {
	var all []Operation
	for _, op := range s.operations {
		o := Operation{ID: op.id, Method: op.method, Path: op.route.Path}
		for _, what := range s.described(op) {
			if what.status != 0 && what.code == "" {
				o.Statuses = append(o.Statuses, what.status)
			}
		}
		all = append(all, o)
	}
	return all
}
