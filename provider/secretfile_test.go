package provider_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/usherauth/usher/provider"
)

func TestClientSecret(t *testing.T) {
	for _, test := range []struct{ name, text, want, err string }{
		{"plain", "hush", "hush", ""},
		{"with a line end", "hush\n", "hush", ""},
		{"with space around", " \thush\r\n\n", "hush", ""},
		{"with a space inside", "hu sh", "hu sh", ""},
		{"every printable character", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~aZ0", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~aZ0", ""},
		{"largest", strings.Repeat("s", 4096), strings.Repeat("s", 4096), ""},
		{"empty", "", "", "is empty"},
		{"blank", " \n", "", "is empty"},
		{"two lines", "hush\nhush", "", "one line"},
		{"carriage return", "hush\rhush", "", "one line"},
		{"NUL", "hush\x00", "", "printable"},
		{"escape", "hush\x1b[m", "", "printable"},
		{"no ASCII", "hüsh", "", "printable"},
		{"byte order mark", "\ufeffhush", "", "printable"},
		{"too large", strings.Repeat("s", 4097), "", "too large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := provider.Provider{Name: "mine", ClientSecretFile: filepath.Join(t.TempDir(), "file")}
			write(t, p.ClientSecretFile, test.text)
			got, err := p.ClientSecret()
			if got.Reveal() != test.want {
				t.Errorf("got %q, want %q", got.Reveal(), test.want)
			}
			if test.err == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), p.ClientSecretFile) {
				t.Fatalf("got %v, want %q and the path in it", err, test.err)
			}
			if strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "sss") {
				t.Errorf("the error shows the contents: %v", err)
			}
		})
	}
}

func TestClientSecretIsReadEachTime(t *testing.T) {
	p := provider.Provider{Name: "mine", ClientSecretFile: filepath.Join(t.TempDir(), "file")}
	for _, text := range []string{"first", "second"} {
		write(t, p.ClientSecretFile, text)
		if got, err := p.ClientSecret(); err != nil || got.Reveal() != text {
			t.Errorf("got %q, %v, want %q", got.Reveal(), err, text)
		}
	}
	if err := os.Remove(p.ClientSecretFile); err != nil {
		t.Fatal(err)
	}
	if got, err := p.ClientSecret(); err == nil {
		t.Errorf("without the file: got %v", got)
	}
}

func TestPublicClientHasNoSecret(t *testing.T) {
	if got, err := (provider.Provider{Name: "mine"}).ClientSecret(); err != nil || !got.IsZero() {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWarnings(t *testing.T) {
	p := provider.Provider{Name: "mine", ClientSecretFile: filepath.Join(t.TempDir(), "file")}
	write(t, p.ClientSecretFile, "hush")
	if got := p.Warnings(); got != nil {
		t.Errorf("private file: got %q", got)
	}
	if got := (provider.Provider{}).Warnings(); got != nil {
		t.Errorf("no file: got %q", got)
	}
	if err := os.Chmod(p.ClientSecretFile, 0o644); err != nil {
		t.Fatal(err)
	}
	got := p.Warnings()
	if runtime.GOOS == "windows" {
		if got != nil {
			t.Errorf("on Windows: got %q", got)
		}
		return
	}
	if len(got) != 1 || !strings.Contains(got[0], p.ClientSecretFile) || !strings.Contains(got[0], "0644") {
		t.Errorf("readable by others: got %q", got)
	}
	if s, err := p.ClientSecret(); err != nil || s.Reveal() != "hush" {
		t.Errorf("a warning must not stop: got %v, %v", s, err)
	}
}
