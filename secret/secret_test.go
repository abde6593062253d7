package secret_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/secret"
)

func TestString(t *testing.T) {
	tests := []struct {
		name, value string
		zero        bool
		text        string
	}{
		{"empty", "", true, "[empty]"},
		{"one byte", "x", false, "[secret]"},
		{"looks like the placeholder", "[empty]", false, "[secret]"},
		{"not UTF-8", "\xff\x00\xfe", false, "[secret]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := secret.New(tt.value)
			if got := s.Reveal(); got != tt.value {
				t.Errorf("Reveal() = %q, want %q", got, tt.value)
			}
			if got := s.IsZero(); got != tt.zero {
				t.Errorf("IsZero() = %v, want %v", got, tt.zero)
			}
			if got := s.Len(); got != len(tt.value) {
				t.Errorf("Len() = %d, want %d", got, len(tt.value))
			}
			if got := s.String(); got != tt.text {
				t.Errorf("String() = %q, want %q", got, tt.text)
			}
		})
	}
}

func TestEqual(t *testing.T) {
	var zero secret.String
	tests := []struct {
		name string
		a, b secret.String
		want bool
	}{
		{"zero and zero", zero, secret.New(""), true},
		{"zero and value", zero, secret.New("a"), false},
		{"same value", secret.New("abc"), secret.New("abc"), true},
		{"prefix", secret.New("abc"), secret.New("abcd"), false},
		{"same length", secret.New("abc"), secret.New("abd"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.a.Equal(tt.b); got != tt.want {
				t.Errorf("a.Equal(b) = %v, want %v", got, tt.want)
			}
			if got := tt.b.Equal(tt.a); got != tt.want {
				t.Errorf("b.Equal(a) = %v, want %v", got, tt.want)
			}
			if got := cmp.Equal(tt.a, tt.b); got != tt.want {
				t.Errorf("cmp.Equal(a, b) = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestOmitZero(t *testing.T) {
	got, err := json.Marshal(struct {
		Token secret.String `json:"token,omitzero"`
	}{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "{}"; string(got) != want {
		t.Errorf("json.Marshal = %s, want %s", got, want)
	}
}

func TestDecodingIsRefused(t *testing.T) {
	v := struct{ Token secret.String }{secret.New("before")}
	err := json.Unmarshal([]byte(`{"Token":"`+canary+`"}`), &v)
	if err == nil {
		t.Fatal("json.Unmarshal into a String succeeded, want an error")
	}
	checkClean(t, "the error of json.Unmarshal", err.Error())
	if got := v.Token.Reveal(); got != "before" {
		t.Errorf("value after a refused decoding = %q, want it untouched", got)
	}
}
