package cli

import (
	"strings"
	"testing"
)

func TestReadFirstLine(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"a line":      {"http://x/?a\nmore\n", "http://x/?a"},
		"no end":      {"http://x/?a", "http://x/?a"},
		"of Windows":  {"http://x/?a\r\n", "http://x/?a\r"},
		"nothing":     {"", ""},
		"empty first": {"\nhttp://x/?a", ""},
	} {
		got, err := readFirstLine(t.Context(), strings.NewReader(tt.in))
		if err != nil || got != tt.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, tt.want)
		}
	}
	endless := strings.NewReader(strings.Repeat("a", 1<<20))
	if got, err := readFirstLine(t.Context(), endless); err != nil || len(got) <= maxAddress || endless.Len() == 0 {
		t.Errorf("of an endless line %d bytes were read, and %d are left, %v", len(got), endless.Len(), err)
	}
}
