package safetext_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/safetext"
)

func TestJSON(t *testing.T) {
	for in, want := range map[string]string{
		"plain é 世界 \\ \"":              `"plain é 世界 \\ \""`,
		"\u009b2J\u009d52;c;eA==\u009c": `"\u009b2J\u009d52;c;eA==\u009c"`,
		"\x1b]0;x\a\x7f":                `"\u001b]0;x\u0007\u007f"`,
		"\u202egpj.exe\u2066\u200b":     `"\u202egpj.exe\u2066\u200b"`,
		"\U000e0041":                    `"\udb40\udc41"`,
	} {
		line, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		got := safetext.JSON(line)
		if string(got) != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
		var back string
		if err := json.Unmarshal(got, &back); err != nil || back != in {
			t.Errorf("%q: comes back as %q, %v", in, back, err)
		}
	}
}

// What is shown holds nothing that Line would not show.
func FuzzJSON(f *testing.F) {
	f.Add("plain")
	f.Add("\u009b2J\x7f\u202e\U000e0041\xff")
	f.Fuzz(func(t *testing.T, s string) {
		line, err := json.Marshal(strings.ToValidUTF8(s, "?"))
		if err != nil {
			t.Fatal(err)
		}
		got := string(safetext.JSON(line))
		for _, r := range got {
			if shown := safetext.Line(string(r), 0); strings.HasPrefix(shown, `\u{`) {
				t.Fatalf("%q holds %s", got, shown)
			}
		}
		var back string
		if err := json.Unmarshal([]byte(got), &back); err != nil || back != strings.ToValidUTF8(s, "?") {
			t.Fatalf("%q comes back as %q, %v", s, back, err)
		}
	})
}
