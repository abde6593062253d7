package conffile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/internal/conffile"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRead(t *testing.T) {
	path := write(t, "12345")
	data, info, err := conffile.Read(path, 5)
	if err != nil || string(data) != "12345" || info.Size() != 5 {
		t.Errorf("got %q, %v, %v", data, info, err)
	}
	if _, _, err := conffile.Read(path, 4); !errors.Is(err, conffile.ErrTooLarge) || !strings.Contains(err.Error(), path) {
		t.Errorf("above the limit: got %v, want ErrTooLarge with the path", err)
	}
	if _, _, err := conffile.Read(path+"x", 5); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("missing: got %v, want ErrNotExist with the path", err)
	}
	if _, _, err := conffile.Read(filepath.Dir(path), 5); err == nil {
		t.Error("directory: got no error")
	}
}

type table struct {
	Listen string `toml:"listen"`
	Hidden string `toml:"-"`
}

type document struct {
	Name  string           `toml:"name"`
	List  []string         `toml:"list,omitempty"`
	Count int              `toml:"count"`
	On    bool             `toml:"on"`
	Serve table            `toml:"serve"`
	Each  map[string]table `toml:"each"`
}

func TestDecode(t *testing.T) {
	text := "# comment\nname = \"a\"\nlist = ['b', 'c']\ncount = 3\non = true\n[serve]\nlisten = 'd'\n[each.e]\nlisten = 'f'\n"
	var got document
	if err := conffile.Decode("x.toml", []byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := document{Name: "a", List: []string{"b", "c"}, Count: 3, On: true,
		Serve: table{Listen: "d"}, Each: map[string]table{"e": {Listen: "f"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeNamesTheMistake(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"nam = 1", "x.toml:1:1: nam: unknown key; known are name, list, count, on, serve, each"},
		{"\n\n  nam = 1", "x.toml:3:3: nam: unknown key; known are name, list, count, on, serve, each"},
		{"[serve]\nlisten = ''\nlisen = ''", "x.toml:3:1: serve.lisen: unknown key; known are listen"},
		{"[serve]\nHidden = ''", "x.toml:2:1: serve.Hidden: unknown key; known are listen"},
		{"[each.x]\nlisen = ''", "x.toml:2:1: each.x.lisen: unknown key; known are listen"},
		{"name = 1", "x.toml:1:8: name: must be a string"},
		{"list = 'a'", "x.toml:1:8: list: must be an array, each element a string"},
		{"count = 'a'", "x.toml:1:9: count: must be a whole number"},
		{"on = 'yes'", "x.toml:1:6: on: must be true or false"},
		{"serve = 1", "x.toml:1:9: serve: must be a table"},
		{"each = 1", "x.toml:1:8: each: must be a table"},
		{`"\u001b[2J" = 1`, `x.toml:1:1: "\x1b[2J": unknown key; known are name, list, count, on, serve, each`},
	} {
		err := conffile.Decode("x.toml", []byte(test.text), new(document))
		if err == nil || err.Error() != test.want {
			t.Errorf("Decode(%q):\ngot  %v\nwant %s", test.text, err, test.want)
		}
	}
}

// TestDecodeSyntax: where a mistake of syntax is matters, not the decoder's words.
func TestDecodeSyntax(t *testing.T) {
	for _, test := range []struct{ text, place string }{
		{"name", "x.toml:1:"},
		{"name = 'a'\nname = 'b'", "x.toml:2:1: "},
		{"name = 'a'\nlist = ['a'", "x.toml:2:"},
		{"\xff\xfe", "x.toml:1:1: "},
	} {
		var mistake *conffile.Error
		err := conffile.Decode("x.toml", []byte(test.text), new(document))
		if !errors.As(err, &mistake) || !strings.HasPrefix(err.Error(), test.place) || mistake.Problem == "" {
			t.Errorf("Decode(%q): got %v, want it at %s", test.text, err, test.place)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "name = 'a'", "[each.x]\nlisten = 1", "list = [1, 'a', {b = 2}]", "count = 0x_1", "a.b.c.d = 1", "\ufeff", "[[serve]]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := conffile.Decode("x.toml", data, new(document))
		if err == nil {
			return
		}
		var mistake *conffile.Error
		if !errors.As(err, &mistake) || mistake.Problem == "" || mistake.Line < 0 || !strings.HasPrefix(err.Error(), "x.toml") {
			t.Errorf("Decode(%q): got %#v", data, err)
		}
	})
}
