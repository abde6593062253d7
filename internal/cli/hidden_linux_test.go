package cli

import (
	"testing"

	"github.com/usherauth/usher/internal/term"
)

// What is typed hidden can be corrected, and its end is that of the question.
func TestReadHidden(t *testing.T) {
	for name, tt := range map[string]struct {
		typed     string
		pasteEnds bool
		want      string
		ok        bool
	}{
		"typed and corrected":    {"aö\x7fb\r", true, "ab", true},
		"nothing to correct":     {"\x7fa\r", false, "a", true},
		"a paste that ends it":   {"\x1b[200~http://x/\x1b[201~", true, "http://x/", true},
		"a paste behind a key":   {"a\x1b[200~bcdef\x1b[201~", true, "abcdef", true},
		"a paste and more of it": {"\x1b[200~batter\x1b[201~y\r", false, "battery", true},
		"Enter alone":            {"\r", false, "", true},
		"left":                   {"ab\x04", false, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			person, program := openTerminal(t, 80)
			defer program.Close()
			screen := term.New(program, func(string) string { return "" })
			keyboard, err := screen.Keys(t.Context(), program)
			if err != nil {
				t.Fatal(err)
			}
			defer keyboard.Close()
			if _, err := person.WriteString(tt.typed); err != nil {
				t.Fatal(err)
			}
			a := &app{err: screen}
			if got, ok := a.readHidden(keyboard, "What? ", tt.pasteEnds); got != tt.want || ok != tt.ok {
				t.Errorf("%q, %v, want %q, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}
