package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

const (
	maxDepth   = 32   // nesting of an answer; real ones have two or three levels
	maxMembers = 1024 // members of the outermost object; the largest metadata documents have about 80
)

var (
	errNotObject  = errors.New("not a JSON object")
	errTooDeep    = errors.New("nested too deep")
	errTooMany    = errors.New("too many members")
	errDuplicates = errors.New("stands twice with different values")
)

// object is the outermost object of an answer. Names are matched exactly: encoding/json would fold their case, and even
// "acce\u017f\u017f_token" would pass for an access token.
type object struct {
	members map[string]json.RawMessage
	clashes map[string]bool // names that stand twice with different values
}

// parseObject reads one JSON object and nothing after it. A byte order mark is skipped, and invalid UTF-8 becomes
// U+FFFD, which no text may hold: a mangled token is worse than none.
func parseObject(body []byte) (object, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\ufffd"))
	}
	if tooDeep(body) {
		return object{}, errTooDeep
	}
	if !json.Valid(body) {
		return object{}, errNotObject
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return object{}, errNotObject
	}
	o := object{members: map[string]json.RawMessage{}, clashes: map[string]bool{}}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return object{}, errNotObject
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return object{}, errNotObject
		}
		if err := o.put(name.(string), value); err != nil {
			return object{}, err
		}
	}
	return o, nil
}

// parseForm reads a form-encoded answer, which github.com and a few others give, as an object of strings.
func parseForm(body []byte) (object, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return object{}, errors.New("not a form")
	}
	o := object{members: map[string]json.RawMessage{}, clashes: map[string]bool{}}
	for name, list := range values {
		for _, v := range list {
			raw, err := json.Marshal(v)
			if err != nil {
				return object{}, errors.New("not a form")
			}
			if err := o.put(name, raw); err != nil {
				return object{}, err
			}
		}
	}
	return o, nil
}

func (o object) put(name string, value json.RawMessage) error {
	if old, ok := o.members[name]; ok && !bytes.Equal(old, value) {
		o.clashes[name] = true
	}
	o.members[name] = value
	if len(o.members) > maxMembers {
		return errTooMany
	}
	return nil
}

// tooDeep reports whether brackets outside strings nest deeper than maxDepth. It runs before the parser, which
// would recurse.
func tooDeep(body []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// raw returns the member name, or nil if it is absent or null.
func (o object) raw(name string) (json.RawMessage, error) {
	value, ok := o.members[name]
	switch {
	case o.clashes[name]:
		return nil, fmt.Errorf("%s %w", name, errDuplicates)
	case !ok || string(value) == "null":
		return nil, nil
	}
	return value, nil
}

// text returns the string member name, or "" if it is absent or null.
func (o object) text(name string) (string, error) {
	raw, err := o.raw(name)
	if raw == nil || err != nil {
		return "", err
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", fmt.Errorf("%s is not a string", name)
	}
	if strings.ContainsRune(s, utf8.RuneError) {
		return "", fmt.Errorf("%s is not valid UTF-8", name)
	}
	return s, nil
}

// list returns the member name as strings, or nil if it is absent. A lone string counts as a list of one.
func (o object) list(name string) ([]string, error) {
	raw, err := o.raw(name)
	if raw == nil || err != nil {
		return nil, err
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, nil
	}
	var list []*string // pointers, because a null among strings is no string
	if json.Unmarshal(raw, &list) != nil {
		return nil, fmt.Errorf("%s is not a list of strings", name)
	}
	out := make([]string, 0, len(list))
	for _, s := range list {
		if s == nil {
			return nil, fmt.Errorf("%s is not a list of strings", name)
		}
		out = append(out, *s)
	}
	return out, nil
}

// truth reports whether the member name is true.
func (o object) truth(name string) bool {
	raw, err := o.raw(name)
	return err == nil && string(raw) == "true"
}

// number returns the member name as a number, which may be written as a string; ok is false if it is absent, null or an
// empty string. A value out of range is an infinity.
func (o object) number(name string) (n float64, ok bool, err error) {
	raw, err := o.raw(name)
	if raw == nil || err != nil {
		return 0, false, err
	}
	s := string(raw)
	if raw[0] == '"' {
		if s, err = o.text(name); err != nil || s == "" {
			return 0, false, err
		}
	}
	if n, ok = parseNumber(s); !ok {
		return 0, false, fmt.Errorf("%s is not a number", name)
	}
	return n, true, nil
}
