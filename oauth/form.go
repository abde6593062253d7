package oauth

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/usherauth/usher/secret"
)

// form is an ordered request body. The order is part of the dialects' wire image, and spaces are written %20: both forms
// are valid, and some servers' firewalls only know this one.
type form struct {
	fields  []field
	secrets []secret.String // what the answer must not be quoted with, see echoes
}

type field struct{ name, value string }

// add appends a parameter; an empty one is left out (RFC 6749 section 3.2).
func (f *form) add(name, value string) {
	if value != "" {
		f.fields = append(f.fields, field{name, value})
	}
}

func (f *form) addSecret(name string, value secret.String) {
	if !value.IsZero() {
		f.secrets = append(f.secrets, value)
		f.add(name, value.Reveal())
	}
}

// addExtra appends the caller's own parameters in key order.
func (f *form) addExtra(extra url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if len(extra[name]) != 1 {
			return fmt.Errorf("parameter %q must have exactly one value", name)
		}
		f.add(name, extra[name][0])
	}
	return nil
}

// check reports a parameter that stands twice, which RFC 6749 section 3.2 forbids.
func (f *form) check() error {
	seen := make(map[string]bool, len(f.fields))
	for _, p := range f.fields {
		if seen[p.name] {
			return fmt.Errorf("parameter %q stands twice", p.name)
		}
		seen[p.name] = true
	}
	return nil
}

func (f *form) encode() string {
	var b strings.Builder
	for i, p := range f.fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(p.name))
		b.WriteByte('=')
		b.WriteString(escape(p.value))
	}
	return b.String()
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// echoes reports whether text repeats a secret of the request. A server that does so would otherwise carry it into
// errors and logs. Values of less than eight characters are left alone: they occur in ordinary words.
func (f *form) echoes(text string) bool {
	return slices.ContainsFunc(f.secrets, func(s secret.String) bool {
		return s.Len() >= 8 && strings.Contains(text, s.Reveal())
	})
}
