package term

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestAsk(t *testing.T) {
	dumb := func(name string) string { return map[string]string{"TERM": "dumb"}[name] }
	for _, tt := range []struct {
		name, typed, answer, shown string
		err                        error
		getenv                     func(string) string
	}{
		{"an answer", " yes \nrest", "yes", "Well? \x1b[A\r\x1b[K\x1b[C\x1b[J\r", nil, noEnv},
		{"an empty one", "\n", "", "Well? \x1b[A\r\x1b[K\x1b[C\x1b[J\r", nil, noEnv},
		{"the end", "ye", "ye", "Well? \r\x1b[K\x1b[C\x1b[J\r", io.EOF, noEnv},
		{"nothing to erase with", "yes\n", "yes", "Well? ", nil, dumb},
		{"the end, and nothing to erase with", "", "", "Well? \n", io.EOF, dumb},
	} {
		f := &terminal{columns: 20, rows: 24}
		in := strings.NewReader(tt.typed)
		answer, err := New(f, tt.getenv).Ask(t.Context(), in, "Well? ")
		if answer != tt.answer || !errors.Is(err, tt.err) || f.String() != tt.shown {
			t.Errorf("%s: %q, %v, shown %q", tt.name, answer, err, f.String())
		}
		if rest, _ := io.ReadAll(in); tt.name == "an answer" && string(rest) != "rest" {
			t.Errorf("left for the next reader: %q", rest)
		}
	}
}

func TestAskGivesUp(t *testing.T) {
	f := &terminal{columns: 20, rows: 24}
	endless := io.MultiReader(strings.NewReader(strings.Repeat("x", maxAnswer)), strings.NewReader("xx\n"))
	if answer, err := New(f, noEnv).Ask(t.Context(), endless, "Well? "); err == nil || answer != "" {
		t.Errorf("a line without end: %q, %v", answer, err)
	}
	in, typed := io.Pipe()
	defer typed.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(f, noEnv).Ask(ctx, in, "Well? "); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestCanRead(t *testing.T) {
	if CanRead(strings.NewReader("")) {
		t.Error("a reader is taken for a terminal")
	}
}
