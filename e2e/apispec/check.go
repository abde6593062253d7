package apispec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// Exchange is a request and its whole answer.
type Exchange struct {
	// Request is the request as the client sent it; its Body is not used.
	Request     *http.Request
	RequestBody []byte
	Status      int
	Header      http.Header
	// Body is nil in the answer to HEAD.
	Body []byte
}

// Check counts an exchange and reports what is not as the document says.
func (s *Spec) Check(x Exchange) error {
	op, values := s.find(x.Request)
	input := s.requestInput(op, values, x)
	var problems []error
	if x.Status < 300 {
		problems = append(problems, checkQuery(op, x.Request.URL.Query()), openapi3filter.ValidateRequest(x.Request.Context(), input))
	}
	problems = append(problems, s.checkResponse(op, input, x))
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("%s %s (%s) answered %d %s: %w", x.Request.Method, x.Request.URL.EscapedPath(), op.id, x.Status, excerpt(x.Body), err)
	}
	return nil
}

func (s *Spec) requestInput(op *operation, values map[string]string, x Exchange) *openapi3filter.RequestValidationInput {
	r := x.Request.Clone(x.Request.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(x.RequestBody)), int64(len(x.RequestBody))
	return &openapi3filter.RequestValidationInput{
		Request: r, PathParams: values, QueryParams: r.URL.Query(), Route: op.route,
		Options: &openapi3filter.Options{
			// Whether the bearer is right, the daemon says.
			AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
			IncludeResponseStatus: true,
			MultiError:            true,
			SkipSettingDefaults:   true,
		},
	}
}

// checkQuery reports parameters that the daemon accepted and nobody described.
func checkQuery(op *operation, query url.Values) error {
	for name := range query {
		if op.route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) == nil {
			return fmt.Errorf("query parameter %q is not described", name)
		}
	}
	return nil
}

func (s *Spec) checkResponse(op *operation, input *openapi3filter.RequestValidationInput, x Exchange) error {
	response := op.route.Operation.Responses.Status(x.Status)
	if response == nil {
		return errors.New("this status is not described")
	}
	what := sighting{operation: op.id, status: x.Status}
	if x.Request.Method == http.MethodHead {
		return nil // shows no body, so that nothing is seen of it
	}
	s.saw(what)
	var problems []error
	if len(response.Value.Content) == 0 && len(x.Body) > 0 {
		problems = append(problems, errors.New("no body is described"))
	}
	problems = append(problems, openapi3filter.ValidateResponse(x.Request.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: x.Status, Header: x.Header,
		Body: io.NopCloser(bytes.NewReader(x.Body)), Options: streamOptions(input.Options, x.Header),
	}))
	if codes, ok := codesOf(response.Value); ok {
		var body struct{ Code string }
		if err := json.Unmarshal(x.Body, &body); err != nil {
			problems = append(problems, err)
		}
		if body.Code != "" && !slices.Contains(codes, body.Code) {
			problems = append(problems, fmt.Errorf("code %q is not described", body.Code))
		}
		what.code = body.Code
		s.saw(what)
	}
	return errors.Join(problems...)
}

// streamOptions leaves the body of a stream out: it has no end yet.
func streamOptions(o *openapi3filter.Options, h http.Header) *openapi3filter.Options {
	copied := *o
	copied.ExcludeResponseBody = isStream(h)
	return &copied
}

func isStream(h http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && mediaType == "text/event-stream"
}

// codesOf are the x-codes of a response.
func codesOf(r *openapi3.Response) (codes []string, described bool) {
	list, described := r.Extensions["x-codes"].([]any)
	for _, code := range list {
		codes = append(codes, fmt.Sprint(code))
	}
	return codes, described
}

func excerpt(body []byte) string {
	if len(body) > 300 {
		return string(body[:300]) + "..."
	}
	return string(body)
}
