package credential

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
)

// MarshalJSON writes the members that this version does not know as well.
func (s storedCredential) MarshalJSON() ([]byte, error) {
	type known storedCredential
	data, err := json.Marshal(known(s))
	if err != nil || s.unknown == nil {
		return data, err
	}
	return addMembers(data, s.unknown)
}

// UnmarshalJSON keeps the members that this version does not know.
func (s *storedCredential) UnmarshalJSON(data []byte) error {
	type known storedCredential
	if err := json.Unmarshal(data, (*known)(s)); err != nil {
		return err
	}
	s.unknown = unknownMembers(data)
	return nil
}

// The names this version knows.
var (
	credentialNames = jsonNames(reflect.TypeFor[storedCredential]())
	bindingNames    = jsonNames(reflect.TypeFor[storedBinding]())
)

func jsonNames(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// unknownMembers is the part of the stored credential data that this version
// does not know: an object as well, nil if there is nothing. Of the objects
// within only the binding is looked into: the others are replaced as a whole.
func unknownMembers(data []byte) json.RawMessage {
	rest, known := sift(data, credentialNames)
	if inner, _ := sift(known["binding"], bindingNames); len(inner) > 0 {
		if raw, err := json.Marshal(inner); err == nil {
			rest["binding"] = raw
		}
	}
	if len(rest) == 0 {
		return nil
	}
	raw, err := json.Marshal(rest)
	if err != nil {
		return nil
	}
	return raw
}

// sift sorts the members of the JSON object data into those that names lacks
// and those it has. encoding/json takes a name that differs in case for the
// same, and so does sift: otherwise it would come back in the other's place.
func sift(data []byte, names []string) (rest, known map[string]json.RawMessage) {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return nil, nil
	}
	rest, known = make(map[string]json.RawMessage), make(map[string]json.RawMessage)
	for name, value := range members {
		i := slices.Index(names, name)
		if i < 0 {
			i = slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
		}
		if i < 0 {
			rest[name] = value
		} else {
			known[names[i]] = value
		}
	}
	return rest, known
}

// addMembers is the JSON object data with those members of more that it lacks.
func addMembers(data, more json.RawMessage) (json.RawMessage, error) {
	var all, added map[string]json.RawMessage
	if json.Unmarshal(data, &all) != nil || json.Unmarshal(more, &added) != nil {
		return nil, errors.New("not a JSON object")
	}
	for name, value := range added {
		known, ok := all[name]
		if !ok {
			all[name] = value
		} else if merged, err := addMembers(known, value); err == nil {
			all[name] = merged
		}
	}
	return json.Marshal(all)
}
