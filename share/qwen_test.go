package share

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/secret"
)

const good = `{"access_token":"a","refresh_token":"r","token_type":"bearer","resource_url":"portal.qwen.ai","expiry_date":1700000000000}`

func TestParse(t *testing.T) {
	whole := Contents{
		AccessToken: secret.New("a"), RefreshToken: secret.New("r"), TokenType: "Bearer",
		ResourceURL: "portal.qwen.ai", ExpiresAt: time.UnixMilli(1700000000000).UTC(),
	}
	with := func(change func(*Contents)) Contents {
		c := whole
		change(&c)
		return c
	}
	spoilt := with(func(c *Contents) { c.ExpiresAt = time.Time{} })
	edit := func(old, by string) string { return strings.Replace(good, old, by, 1) }
	for name, test := range map[string]struct {
		text string
		want Contents
		bad  bool
	}{
		"as the tool writes it":         {good, whole, false},
		"other members":                 {edit(`{`, `{"x":{"y":[1]},`), whole, false},
		"the last of two":               {edit(`{`, `{"access_token":"old",`), whole, false},
		"other case":                    {edit(`{`, `{"ACCESS_TOKEN":"other",`), whole, false},
		"no resource_url":               {edit(`"resource_url":"portal.qwen.ai",`, ``), with(func(c *Contents) { c.ResourceURL = "" }), false},
		"resource_url a number":         {edit(`"portal.qwen.ai"`, `1`), with(func(c *Contents) { c.ResourceURL = "" }), false},
		"resource_url with a line end":  {edit(`portal.qwen.ai`, `a\nb`), with(func(c *Contents) { c.ResourceURL = "" }), false},
		"a fraction":                    {edit(`1700000000000`, `1700000000000.9`), whole, false},
		"an exponent":                   {edit(`1700000000000`, `17e11`), whole, false},
		"expiry_date infinite":          {edit(`1700000000000`, `1e999`), with(func(c *Contents) { c.ExpiresAt = time.UnixMilli(253_402_300_799_000).UTC() }), false},
		"expiry_date negative":          {edit(`1700000000000`, `-1`), with(func(c *Contents) { c.ExpiresAt = time.UnixMilli(1).UTC() }), false},
		"refresh token of any text":     {edit(`"r"`, `"r é\n"`), with(func(c *Contents) { c.RefreshToken = secret.New("r é\n") }), false},
		"expiry_date null":              {edit(`1700000000000`, `null`), spoilt, true},
		"expiry_date 0":                 {edit(`1700000000000`, `0`), spoilt, true},
		"expiry_date tiny":              {edit(`1700000000000`, `1e-999`), spoilt, true},
		"expiry_date a string":          {edit(`1700000000000`, `"1700000000000"`), spoilt, true},
		"no expiry_date":                {edit(`,"expiry_date":1700000000000`, ``), spoilt, true},
		"no access token":               {edit(`"access_token":"a",`, ``), Contents{}, true},
		"access token empty":            {edit(`"a"`, `""`), Contents{}, true},
		"access token a number":         {edit(`"a"`, `1`), Contents{}, true},
		"access token for no header":    {edit(`"a"`, `"a\r\nX: y"`), Contents{}, true},
		"no refresh token":              {edit(`"refresh_token":"r",`, ``), Contents{}, true},
		"refresh token null":            {edit(`"r"`, `null`), Contents{}, true},
		"no token type":                 {edit(`"token_type":"bearer",`, ``), Contents{}, true},
		"token type a list":             {edit(`"bearer"`, `["bearer"]`), Contents{}, true},
		"empty":                         {``, Contents{}, true},
		"null":                          {`null`, Contents{}, true},
		"a list":                        {`[` + good + `]`, Contents{}, true},
		"a BOM":                         {"\ufeff" + good, Contents{}, true},
		"truncated":                     {good[:len(good)-1], Contents{}, true},
		"two objects":                   {good + good, Contents{}, true},
		"nested too deeply":             {edit(`{`, `{"x":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+`,`), Contents{}, true},
		"a NUL":                         {good + "\x00", Contents{}, true},
		"expiry_date a number in error": {edit(`1700000000000`, `017`), Contents{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := parseQwen([]byte(test.text))
			if errors.Is(err, ErrInvalid) != test.bad || (err != nil) != test.bad {
				t.Errorf("error = %v, want ErrInvalid: %v", err, test.bad)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("contents (-want +got):\n%s", diff)
			}
			if err != nil && strings.Contains(err.Error(), "portal") {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	f := newFile(t)
	if _, err := f.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v, want fs.ErrNotExist", err)
	}
	put(t, f.Path(), good+strings.Repeat(" ", maxFile))
	if _, err := f.Read(); !errors.Is(err, ErrInvalid) {
		t.Errorf("a huge file: %v, want ErrInvalid", err)
	}
	if err := os.Remove(f.Path()); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(f.Path(), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(); err == nil || IsMissing(err) {
		t.Errorf("a folder: %v, want another error", err)
	}
}

// What is written has all members in the tool's units, and keeps what it does
// not know.
func TestWriteForm(t *testing.T) {
	f := newFile(t)
	put(t, f.Path(), `{"access_token":"old","refresh_token":"old","token_type":"x","expiry_date":1,"resource_url":"here.example","mine":{"n":12345678901234567890,"t":"<&>"}}`)
	now := time.Now().Round(0)
	c := sample("new", now)
	c.ResourceURL, c.TokenType = "", ""
	l := take(t, f)
	defer release(t, l)
	if _, err := l.Read(); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(c); err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	text := slurp(t, f.Path())
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"access_token": `"access-new"`, "refresh_token": `"refresh-new"`, "token_type": `"Bearer"`,
		"resource_url": `"here.example"`,
	} {
		if string(got[name]) != want {
			t.Errorf("%s = %s, want %s", name, got[name], want)
		}
	}
	var ms int64
	if err := json.Unmarshal(got["expiry_date"], &ms); err != nil || ms != now.Add(time.Hour).UnixMilli() {
		t.Errorf("expiry_date = %s (%v), want %d", got["expiry_date"], err, now.Add(time.Hour).UnixMilli())
	}
	var mine struct {
		N json.Number `json:"n"`
		T string      `json:"t"`
	}
	if err := json.Unmarshal(got["mine"], &mine); err != nil || mine.N != "12345678901234567890" || mine.T != "<&>" {
		t.Errorf("another member became %s (%v)", got["mine"], err)
	}
	if !strings.HasPrefix(text, "{\n  \"") {
		t.Errorf("not indented by two spaces: %.20q", text)
	}
	if info, err := os.Stat(f.Path()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 0600", info.Mode(), err)
	}
}

func TestWriteWithoutLifetime(t *testing.T) {
	now := time.Now().Round(0)
	c := sample("1", now)
	c.Lifetime = 0
	data, err := encodeQwen(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := parseQwen(data)
	if err != nil || !got.ExpiresAt.Equal(now.Add(foreverLifetime).Truncate(time.Millisecond)) {
		t.Errorf("ends %v (%v), want ten years after %v", got.ExpiresAt, err, now)
	}
	c.RefreshToken = secret.String{}
	if _, err := encodeQwen(c, nil); err == nil {
		t.Error("a file that the tool rejects was made")
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "copy.json"), filepath.Join(dir, "link")
	put(t, path, good)
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link} {
		if c, err := ReadFile(Qwen, name); err != nil || c.RefreshToken.Reveal() != "r" {
			t.Errorf("ReadFile(%s) = %v", name, err)
		}
	}
	if _, err := ReadFile(Qwen, filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := ReadFile("other", path); err == nil {
		t.Error("an unknown tool's file was read")
	}
}

// Whatever the file holds, reading does not panic, and what is written over it
// is what was meant.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(good[:50]))
	f.Add([]byte("\ufeff" + good))
	f.Add([]byte(`{"access_token":"a","refresh_token":"r","token_type":"t","expiry_date":1e999,"__proto__":{}}`))
	f.Add([]byte(`{"expiry_date":null}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		found, all, err := parseQwen(data)
		if err == nil && (found.AccessToken.IsZero() || found.RefreshToken.IsZero() || found.ExpiresAt.IsZero()) {
			t.Fatal("accepted without tokens or end")
		}
		c := sample("new", time.UnixMilli(1_700_000_000_000))
		written, err := encodeQwen(c, all)
		if err != nil {
			t.Fatal(err)
		}
		again, rest, err := parseQwen(written)
		if err != nil || !again.AccessToken.Equal(c.AccessToken) || !again.RefreshToken.Equal(c.RefreshToken) || !again.ExpiresAt.Equal(c.ExpiresAt()) {
			t.Fatalf("read back: %v", err)
		}
		for name := range all {
			if _, ok := rest[name]; !ok {
				t.Fatalf("member %q was lost", name)
			}
		}
	})
}
