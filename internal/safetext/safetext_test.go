package safetext_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/usherauth/usher/internal/safetext"
)

func TestLine(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		max      int
		want     string
	}{
		{"plain", "Grüße, 世界! 😀", 0, "Grüße, 世界! 😀"},
		{"empty", "", 0, ""},
		{"escape", "a\x1b[2Jb", 0, `a\u{1b}[2Jb`},
		{"c1", "a\u009b2Jb", 0, `a\u{9b}2Jb`},
		{"delete and nul", "\x7f\x00", 0, `\u{7f}\u{0}`},
		{"line breaks", "a\r\n\u2028\u2029\u0085b", 0, `a\u{d}\u{a}\u{2028}\u{2029}\u{85}b`},
		{"tab", "a\tb", 0, `a\u{9}b`},
		{"bidi", "\u202e\u2066\u200f\u061c", 0, `\u{202e}\u{2066}\u{200f}\u{61c}`},
		{"zero width", "\u200b\u200d\ufeff\u2060\u00ad\u034f", 0, `\u{200b}\u{200d}\u{feff}\u{2060}\u{ad}\u{34f}`},
		{"fillers", "\u3164\u115f\u2800\ufe0f", 0, `\u{3164}\u{115f}\u{2800}\u{fe0f}`},
		{"odd spaces", "a\u00a0b\u3000c", 0, `a\u{a0}b\u{3000}c`},
		{"tags", "\U000e0041\U000e007f", 0, `\u{e0041}\u{e007f}`},
		{"non-characters", "\ufdd0\ufffe\U0010ffff", 0, `\u{fdd0}\u{fffe}\u{10ffff}`},
		{"private", "\ue000", 0, `\u{e000}`},
		{"invalid", "a\xffb\xc3", 0, `a\u{fffd}b\u{fffd}`},
		{"combining", "e\u0301\u0301\u0301\u0301\u0301\u0301x\u0301", 0, "e\u0301\u0301\u0301\u0301" + `\u{301}\u{301}` + "x\u0301"},
		{"fits", "abcde", 5, "abcde"},
		{"cut", "abcdef", 5, "abcd…"},
		{"cut at an escape", "abc\x1b", 5, "abc…"},
		{"cut to one", "abc", 1, "…"},
		{"default", strings.Repeat("a", 513), -1, strings.Repeat("a", 511) + "…"},
	} {
		if got := safetext.Line(tt.in, tt.max); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestUserCode(t *testing.T) {
	for in, want := range map[string]string{
		"WDJB-MJHT": "WDJB-MJHT", "abcd": "abcd", strings.Repeat("9", 32): strings.Repeat("9", 32),
		"abc": `"abc"`, strings.Repeat("9", 33): `"` + strings.Repeat("9", 33) + `"`, "AB CD": `"AB CD"`, "ABC\x1b": `"ABC\u{1b}"`, "": `""`, "ÄBCD": `"ÄBCD"`,
	} {
		got, plain := safetext.UserCode(in)
		if got != want || plain != (in == want) {
			t.Errorf("%q: got %q, plain %t, want %q", in, got, plain, want)
		}
		if again, stays := safetext.UserCode(got); again != got || stays != plain {
			t.Errorf("%q: %q is shown again as %q, plain %t", in, got, again, stays)
		}
	}
}

func TestURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://op.example/device?user_code=AB-CD":       "https://op.example/device?user_code=AB-CD",
		"https://op.example:8443":                         "https://op.example:8443",
		"HTTPS://op.example/":                             "HTTPS://op.example/",
		"https://xn--pple-43d.example/":                   "https://xn--pple-43d.example/",
		"https://[2001:db8::1]:8443/d":                    "https://[2001:db8::1]:8443/d",
		"http://127.0.0.1:9400/device":                    "http://127.0.0.1:9400/device",
		"http://127.1.2.3/":                               "http://127.1.2.3/",
		"http://[::1]:1/":                                 "http://[::1]:1/",
		"http://LOCALHOST/":                               "http://LOCALHOST/",
		"https://my_host.internal/#/d":                    "https://my_host.internal/#/d",
		"https://op.example/$(id)?q='x'":                  "https://op.example/%24%28id%29?q=%27x%27",
		"https://op.example/%20%41":                       "https://op.example/%20%41",
		"https://op.example/" + strings.Repeat("a", 4077): "https://op.example/" + strings.Repeat("a", 4077),
	} {
		if got, err := safetext.URL(in); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "op.example", "//op.example/", "https:op.example", "https:/op.example", "https:///x", "https://", "https://:443/",
		"javascript:alert(1)", "data:,x", "file:///etc/passwd", "ftp://op.example/", "a:$(calc)", "--flag", "-https://op.example/",
		"http://op.example/", "http://localhost.evil.example/", "http://127.0.0.1.evil.example/", "http://[::ffff:127.0.0.1]/", "http://2130706433/", "http://0x7f.1/",
		"https://u@op.example/", "https://u:p@op.example/", "https://@op.example/", "https://op.example\\@evil.example/",
		" https://op.example/", "https://op.example/ ", "https://op.example/a b", "https://op.example/\n", "https://op.example/\x00", "https://op.example/\x7f", "https://op.example/\u202e", "https://\u0430pple.example/",
		"https://op.example/`id`", "https://op.example/\"", "https://op.example/<b>", "https://op.example/|x", "https://op.example/{x}", "https://op.example/^",
		"https://op.example:0/", "https://op.example:65536/", "https://op.example:/", "https://op.example:-1/", "https://op.example:x/",
		"https://op.example./", "https://.op.example/", "https://a..b/", "https://-a.example/", "https://a-.example/", "https://" + strings.Repeat("a", 64) + ".example/", "https://" + strings.Repeat("a.", 130) + "b/",
		"https://[fe80::1%25eth0]/", "https://[127.0.0.1]/", "https://[::1/", "https://%61.example/",
		"https://op.example/%0d%0aX", "https://op.example/%00", "https://op.example/%7F", "https://op.example/?%1b[2J", "https://op.example/%zz",
		"https://op.example/" + strings.Repeat("a", 4078),
	} {
		got, err := safetext.URL(in)
		if err == nil {
			t.Errorf("%q: accepted as %q", in, got)
		} else if len(in) > 8 && strings.Contains(err.Error(), in) {
			t.Errorf("%q: error repeats the link: %v", in, err)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{"plain", "\x1b]52;c;eA==\x07", "e\u0301\u0301\u0301\u0301\u0301", "\xff\u202e", "\U000e0041"} {
		f.Add(s, 20)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		got := safetext.Line(s, limit)
		want := limit
		if limit <= 0 {
			want = safetext.DefaultLine
		}
		if n := utf8.RuneCountInString(got); n > want || !utf8.ValidString(got) {
			t.Fatalf("%q: %d runes of %d", got, n, want)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("not printable: %q", got)
		}
		if again := safetext.Line(got, limit); again != got {
			t.Fatalf("not stable: %q becomes %q", got, again)
		}
	})
}

func FuzzUserCode(f *testing.F) {
	f.Add("WDJB-MJHT")
	f.Add("\x1b[2J")
	f.Fuzz(func(t *testing.T, s string) {
		got, plain := safetext.UserCode(s)
		if again, _ := safetext.UserCode(got); again != got {
			t.Fatalf("not stable: %q becomes %q", got, again)
		}
		if plain && got != s || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q: shown as %q, plain %t", s, got, plain)
		}
	})
}

func FuzzURL(f *testing.F) {
	for _, s := range []string{"https://op.example/device", "http://[::1]:80/", "https://u@h/", "https://a\\b", "https://h/%0a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := safetext.URL(s)
		if err != nil {
			return
		}
		lower := strings.ToLower(got)
		if !strings.HasPrefix(lower, "https://") && !strings.HasPrefix(lower, "http://") || len(s) > safetext.MaxURL {
			t.Fatalf("accepted %q", s)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || strings.ContainsAny(got, "\\`$'\"<>") {
			t.Fatalf("unfit to be shown: %q", got)
		}
		again, err := safetext.URL(got)
		if len(got) <= safetext.MaxURL && (err != nil || again != got) {
			t.Fatalf("not stable: %q becomes %q, %v", got, again, err)
		}
	})
}
