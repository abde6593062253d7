// Package secret holds values that must never be seen: tokens, client
// secrets, device codes, code verifiers, API keys.
//
// Wrap a value with [New] where it is decoded, pass the [String] around, and
// call [String.Reveal] in the one place that puts it on the wire or on disk.
// Every other way of turning it into text shows a placeholder:
//
//	t := secret.New("s3cr3t")
//	log.Printf("token %v", t) // token [secret]
//
// Every occurrence of Reveal in a program is a place to review; there is no
// other way to the value.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// What is shown in place of a value.
const (
	shown      = "[secret]"
	shownEmpty = "[empty]"
)

// String is an immutable secret value. The zero String is empty and ready to
// use. It is safe for concurrent use and cheap to copy.
//
// It prints as "[secret]", or "[empty]" when there is no value, with every
// verb of fmt, in log/slog, and through the text, JSON, XML, TOML, binary and
// gob encoders. Decoding into a String is not offered: a wire type
// decodes to string and its owner converts it with [New], so that a secret on
// the wire is always written down as a field of an explicit wire type.
//
// Strings do not compare with ==, which the compiler enforces for every struct
// that holds one; use [String.Equal], which go-cmp also finds. reflect.DeepEqual
// reports two non-empty Strings as different.
//
// The value is out of reach of accidents, not of an attacker in the process:
// Go cannot promise to wipe memory, so String does not pretend to.
type String struct {
	// The value lives in a closure because fmt, spew, go-cmp and other
	// printers that work by reflection do not call methods on unexported
	// fields: they would print a string, and follow a pointer to one. Of a
	// closure they can print nothing but the address of its code, which is
	// the same for all secrets.
	reveal func() string
}

// New returns a String holding s. New("") is the zero String.
func New(s string) String {
	if s == "" {
		return String{}
	}
	return String{reveal: func() string { return s }}
}

// Reveal returns the value itself, "" for the zero String. Its result belongs
// in a request, a store or a comparison, never in an error, a log or an
// argument list.
func (s String) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether there is no value. encoding/json's omitzero uses it.
func (s String) IsZero() bool { return s.reveal == nil }

// Len returns the length of the value in bytes. It is meant for plausibility
// checks; the length of a password is itself worth keeping quiet.
func (s String) Len() int { return len(s.Reveal()) }

// Equal reports whether s and o hold the same value. The time it takes says
// nothing about where two values differ: it compares their SHA-256 sums in
// constant time.
func (s String) Equal(o String) bool {
	a, b := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(o.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns the placeholder, never the value.
func (s String) String() string {
	if s.IsZero() {
		return shownEmpty
	}
	return shown
}

// Format implements [fmt.Formatter]: the placeholder for every verb and flag.
func (s String) Format(f fmt.State, _ rune) {
	// fmt keeps the error of the writer; a Formatter has no way to return one.
	_, _ = io.WriteString(f, s.String())
}

// LogValue implements [slog.LogValuer] with the placeholder.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements [encoding.TextMarshaler] with the placeholder; the
// JSON, XML and TOML encoders use it.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalBinary implements [encoding.BinaryMarshaler] with the placeholder;
// encoding/gob uses it.
func (s String) MarshalBinary() ([]byte, error) { return []byte(s.String()), nil }
