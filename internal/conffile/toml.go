package conffile

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Error is a mistake in a configuration file, at its place.
type Error struct {
	// Path is the file.
	Path string
	// Line and Column are counted from 1; 0 when the place is not known.
	Line, Column int
	// Key is the dotted key the mistake is about; empty for a syntax error.
	Key string
	// Problem says what is wrong. It does not repeat the file's values.
	Problem string
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Path)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Key != "" {
		fmt.Fprintf(&b, "%s: ", e.Key)
	}
	b.WriteString(e.Problem)
	return b.String()
}

// Decode decodes the TOML document data, which came from path, into the struct
// of tagged fields (or the map of such structs) that v points to. A key that the struct has no field for is an error that
// lists the keys there are. Errors are *[Error].
func Decode(path string, data []byte, v any) error {
	err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(v)
	if err == nil {
		return nil
	}
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		first := &unknown.Errors[0]
		return at(path, first, "unknown key; known are "+strings.Join(knownKeys(v, first.Key()), ", "))
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		return at(path, decode, problem(v, decode))
	}
	return &Error{Path: path, Problem: strings.TrimPrefix(err.Error(), "toml: ")}
}

func at(path string, err *toml.DecodeError, problem string) *Error {
	line, column := err.Position()
	key := strings.Join(err.Key(), ".")
	if strings.ContainsFunc(key, func(r rune) bool { return !strconv.IsPrint(r) }) {
		key = strconv.Quote(key)
	}
	return &Error{Path: path, Line: line, Column: column, Key: key, Problem: problem}
}

// problem is the decoder's message, with a mismatch of types in the words of
// TOML instead of those of Go.
func problem(v any, err *toml.DecodeError) string {
	message := strings.TrimPrefix(err.Error(), "toml: ")
	if !strings.HasPrefix(message, "cannot decode ") {
		return message
	}
	t := reflect.TypeOf(v).Elem()
	for _, part := range err.Key() {
		field, ok := fieldOf(t, part)
		if !ok {
			return message
		}
		t = field
	}
	return "must be " + describe(t)
}

func describe(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Int:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "an array, each element " + describe(t.Elem())
	case reflect.Struct, reflect.Map:
		return "a table"
	}
	return "a " + t.Kind().String()
}

// knownKeys lists, in the order of the struct, the keys of the table in which
// the last part of key was not found.
func knownKeys(v any, key []string) []string {
	t := reflect.TypeOf(v).Elem()
	for _, part := range key {
		field, ok := fieldOf(t, part)
		if !ok || field.Kind() != reflect.Struct && field.Kind() != reflect.Map {
			break
		}
		t = field
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for field := range t.Fields() {
		if key := Key(field); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// fieldOf is the type of the value that key has in a table decoded into t.
func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	switch t.Kind() {
	case reflect.Map:
		return t.Elem(), true
	case reflect.Struct:
		for field := range t.Fields() {
			if Key(field) == key {
				return field.Type, true
			}
		}
	}
	return nil, false
}

// Key is the TOML key of a struct's field, or empty if it has none.
func Key(field reflect.StructField) string {
	key, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
	if key == "-" {
		return ""
	}
	return key
}
