package safetext_test

import (
	"testing"

	"github.com/usherauth/usher/internal/safetext"
)

func TestWord(t *testing.T) {
	tests := []struct {
		s     string
		extra string
		want  bool
	}{
		{"aZ09", "", true},
		{"a-b_c", "-_", true},
		{"", "", false},
		{"12345", "", false}, // too long
		{"a b", " ", true},
		{"a-b", "_", false},
		{"a\n", "", false},
		{"a\x00", "", false},
		{"é", "", false},
		{"@[`{", "", false}, // the neighbours of the letters
		{"/:", "", false},   // and of the digits
	}
	for _, tt := range tests {
		if got := safetext.Word(tt.s, tt.extra, 1, len("a-b_c")-btoi(tt.extra == "")); got != tt.want {
			t.Errorf("Word(%q, %q) = %v", tt.s, tt.extra, got)
		}
	}
	if !safetext.Word("", "", 0, 0) {
		t.Error("an empty word of length 0 to 0 is refused")
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
