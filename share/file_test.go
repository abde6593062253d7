package share

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOpen(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ home, qwen, want string }{
		{"/home/me", "", "/home/me/.qwen"},
		{"/home/me", "/elsewhere", "/elsewhere"},
		{"/home/me", "~", "/home/me"},
		{"/home/me", "~/a/b", "/home/me/a/b"},
		{"/home/me", "~other", wd + "/~other"},
		{"/home/me", "sub/folder", wd + "/sub/folder"},
		{"", "/elsewhere", "/elsewhere"},
		{"", "", ""},
		{"", "~/a", ""},
	} {
		f, err := Open(Qwen, env(map[string]string{"HOME": test.home, "QWEN_HOME": test.qwen}))
		if test.want == "" {
			if err == nil {
				t.Errorf("HOME=%q QWEN_HOME=%q: %s, want an error", test.home, test.qwen, f.Path())
			}
			continue
		}
		if err != nil {
			t.Errorf("HOME=%q QWEN_HOME=%q: %v", test.home, test.qwen, err)
		} else if want := filepath.Join(test.want, "oauth_creds.json"); f.Path() != want {
			t.Errorf("HOME=%q QWEN_HOME=%q: %s, want %s", test.home, test.qwen, f.Path(), want)
		}
	}
	if _, err := Open("other", os.Getenv); err == nil || !strings.Contains(err.Error(), Qwen) {
		t.Errorf("an unknown tool: %v, want an error that names the known", err)
	}
}

// A folder that is not there is made, for us alone.
func TestFolderIsMade(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", ".qwen")
	f := openAt(t, folder)
	l := take(t, f)
	defer release(t, l)
	if err := l.Write(sample("1", time.Now())); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v (%v), want 0700", info.Mode(), err)
	}
}
