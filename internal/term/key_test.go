package term

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// typed is a person: what they send at a time, and how long they wait then.
type typed struct {
	text string
	wait time.Duration
}

// decode returns what comes of it, as text.
func decode(sent ...typed) (got []string) {
	d := decoder{
		key: func(k Key) {
			if k.Rune != 0 {
				got = append(got, fmt.Sprintf("key %q", k.Rune))
			} else {
				got = append(got, fmt.Sprintf("paste %q", k.Paste.Reveal()))
			}
		},
		reply: func(text string) { got = append(got, fmt.Sprintf("reply %q", text)) },
	}
	for _, s := range sent {
		d.feed([]byte(s.text))
		for wait := s.wait; d.patience() > 0 && wait >= d.patience(); {
			wait -= d.patience()
			d.silence()
		}
	}
	return got
}

func TestDecoder(t *testing.T) {
	const long = time.Minute
	for name, c := range map[string]struct {
		sent []typed
		want []string
	}{
		"a key":                 {[]typed{{"o", long}}, []string{`key 'o'`}},
		"a key beyond ASCII":    {[]typed{{"ö", long}}, []string{`key 'ö'`}},
		"half a character":      {[]typed{{"\xc3", long}, {"o", long}}, []string{`key 'o'`}},
		"keys":                  {[]typed{{"o", 2 * keySilence}, {"c", long}}, []string{`key 'o'`, `key 'c'`}},
		"fast keys":             {[]typed{{"oc", long}}, []string{`key 'o'`, `key 'c'`}},
		"Enter":                 {[]typed{{"\n", 0}, {"\r", 0}}, []string{`key '\n'`, `key '\n'`}},
		"a key and Enter":       {[]typed{{"o\n", 0}}, []string{`key 'o'`, `key '\n'`}},
		"Ctrl-D":                {[]typed{{"\x04", 0}}, []string{`key '\x04'`}},
		"Backspace":             {[]typed{{"a\x7f\b", long}}, []string{`key 'a'`, `key '\x7f'`, `key '\x7f'`}},
		"other controls":        {[]typed{{"\x00\x01\t\x1f\u0085", long}}, nil},
		"Esc":                   {[]typed{{"\x1b", long}}, []string{`key '\x1b'`}},
		"Esc is not yet":        {[]typed{{"\x1b", escSilence - 1}}, nil},
		"Esc and a key":         {[]typed{{"\x1b", long}, {"o", long}}, []string{`key '\x1b'`, `key 'o'`}},
		"Esc twice":             {[]typed{{"\x1b\x1b", long}}, []string{`key '\x1b'`, `key '\x1b'`}},
		"Alt and a key":         {[]typed{{"\x1bo", long}}, nil},
		"arrows":                {[]typed{{"\x1b[A\x1b[1;5B\x1bOC", long}}, nil},
		"an arrow in pieces":    {[]typed{{"\x1b", escSilence / 2}, {"[", long}, {"A", long}}, nil},
		"function keys":         {[]typed{{"\x1b[15~\x1bOP\x1b[[A\x1b[24;2~", long}}, nil},
		"focus":                 {[]typed{{"\x1b[I\x1b[O", long}}, nil},
		"a mouse":               {[]typed{{"\x1b[<0;10;20M\x1b[<0;10;20m\x1b[M !!", long}}, nil},
		"a key after a mouse":   {[]typed{{"\x1b[M !!o", long}}, []string{`key 'o'`}},
		"a sequence broken off": {[]typed{{"\x1b[1;\x18o", long}}, []string{`key 'o'`}},
		"one within another":    {[]typed{{"\x1b[1;\x1b[Ao", long}}, []string{`key 'o'`}},
		"an answer":             {[]typed{{"\x1b]11;rgb:0/0/0\x1b\\\x1b[?62;4c", long}}, []string{`reply "11;rgb:0/0/0"`, `reply "c"`}},
		"an answer with BEL":    {[]typed{{"\x1b]11;rgb:0/0/0\a", long}, {"o", long}}, []string{`reply "11;rgb:0/0/0"`, `key 'o'`}},
		"an answer in pieces":   {[]typed{{"\x1b]11;rg", long}, {"b:0/0/0\x1b", 0}, {"\\", long}}, []string{`reply "11;rgb:0/0/0"`}},
		"other strings":         {[]typed{{"\x1bP1+r\x1b\\\x1b_x\x1b\\\x1b^x\a\x1bXx\x1b\\", long}}, nil},
		"a string of a person":  {[]typed{{"\x1b]ab", long}, {"\x1b", long}}, []string{`reply "ab"`, `key '\x1b'`}},
		"a string and a line":   {[]typed{{"\x1b]ab\no", long}}, []string{`key 'o'`}},
		"a marked paste":        {[]typed{{"\x1b[200~https://x/?a=b\n\x1b[A\x1b[201~o", long}}, []string{`paste "https://x/?a=b\n\x1b[A"`, `key 'o'`}},
		"one in pieces":         {[]typed{{"\x1b[200~ab", long / 60}, {"c\x1b[2", long / 60}, {"01~", 0}}, []string{`paste "abc"`}},
		"one without end":       {[]typed{{"\x1b[200~abc\x1b[20", long}, {"o", long}}, []string{`paste "abc\x1b[20"`, `key 'o'`}},
		"a short one":           {[]typed{{"\x1b[200~a\x1b[201~", 0}}, []string{`paste "a"`}},
		"a burst":               {[]typed{{"http", long}}, []string{`paste "http"`}},
		"a burst with Enter":    {[]typed{{"http\n", 0}}, []string{`paste "http"`}},
		"a burst in pieces":     {[]typed{{"http", keySilence}, {"://x", keySilence}, {"\r", 0}}, []string{`paste "http://x"`}},
		"a burst and Esc":       {[]typed{{"http\x1b", long}}, []string{`paste "http"`, `key '\x1b'`}},
	} {
		if diff := cmp.Diff(c.want, decode(c.sent...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPastesAreBounded(t *testing.T) {
	much := strings.Repeat("x", maxPaste+1000)
	want := fmt.Sprintf("paste %q", much[:maxPaste])
	for name, sent := range map[string]string{
		"marked": "\x1b[200~" + much + "\x1b[201~", "not marked": much + "\n",
	} {
		if got := decode(typed{sent, 0}); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %d pastes, the first of %d bytes", name, len(got), len(got[0]))
		}
	}
}

// A key that prints itself is no secret, and a paste prints nothing.
func TestPastesDoNotPrint(t *testing.T) {
	var k Key
	d := decoder{key: func(got Key) { k = got }, reply: func(string) {}}
	d.feed([]byte("\x1b[200~code=hidden\x1b[201~"))
	if text := fmt.Sprintf("%v %+v %#v", k, k, k); strings.Contains(text, "hidden") {
		t.Error(text)
	}
}

// Whatever a terminal sends and however it comes in pieces, no key comes from
// within a sequence, and nothing grows without bound.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("o\x1b[A\x1b[200~abc\x1b[201~\x1b]11;rgb:0/0/0\x1b\\c\n"), uint(3))
	f.Add([]byte("\x1b\x1b[<0;1;1M\x1bOA\x1b[M   "), uint(1))
	f.Add([]byte("http://x/?code=1\r\x04"), uint(5))
	f.Fuzz(func(t *testing.T, sent []byte, piece uint) {
		var keys []Key
		d := decoder{key: func(k Key) { keys = append(keys, k) }, reply: func(text string) {
			if len(text) > maxReply {
				t.Fatalf("an answer of %d bytes", len(text))
			}
		}}
		step := int(piece%16) + 1
		for rest := sent; len(rest) > 0; {
			n := min(step, len(rest))
			d.feed(rest[:n])
			rest = rest[n:]
			if d.patience() < 0 || len(d.seq) > maxReply || len(d.text) > maxPaste+len(pasteEnd) {
				t.Fatalf("state %d holds %d and %d bytes", d.state, len(d.seq), len(d.text))
			}
		}
		for d.patience() > 0 {
			d.silence()
		}
		runes := 0
		for _, k := range keys {
			switch {
			case k.Rune == 0 && k.Paste.Len() > maxPaste:
				t.Fatalf("a paste of %d bytes", k.Paste.Len())
			case k.Rune != 0 && k.Rune < ' ' && k.Rune != KeyEOF && k.Rune != KeyEnter && k.Rune != KeyEsc:
				t.Fatalf("key %q", k.Rune)
			case k.Rune != 0:
				runes++
			}
		}
		if runes > len(sent) {
			t.Fatalf("%d keys of %d bytes", runes, len(sent))
		}
		// The same within a sequence that swallows text is none at all.
		quiet := decoder{key: func(k Key) { t.Fatalf("key %q from within a string", k.Rune) }, reply: func(string) {}}
		quiet.feed([]byte("\x1bP"))
		for _, b := range sent {
			if b >= ' ' {
				quiet.feed([]byte{b})
			}
		}
	})
}
