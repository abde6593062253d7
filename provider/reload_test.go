package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/provider"
)

const (
	first  = "client_id = 'first-'\n"
	second = "client_id = 'second'\n" // as long as the first
	broken = "client_id = 'broken\n"  // as long as both
)

func wantClient(t *testing.T, c *provider.Catalogue, want string) {
	t.Helper()
	if got := lookup(t, c, "github").ClientID; got != want {
		t.Errorf("client id: got %q, want %q", got, want)
	}
	for _, p := range c.List() {
		if p.Name == "github" && p.ClientID != want {
			t.Errorf("client id in the list: got %q, want %q", p.ClientID, want)
		}
	}
}

// TestRereadsWhatChanged changes the file in each of the ways in which a
// file can change, of which every one alone must be noticed.
func TestRereadsWhatChanged(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(t *testing.T, path string)
	}{
		{"time", func(t *testing.T, path string) {
			write(t, path, second)
		}},
		{"another file with the same time and size", func(t *testing.T, path string) {
			write(t, path+".new", second)
			age(t, path+".new")
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}},
		{"size", func(t *testing.T, path string) {
			write(t, path, "# longer\n"+second)
			age(t, path)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, dir := open(t, map[string]string{"github.toml": first})
			path := filepath.Join(dir, "github.toml")
			age(t, path)
			wantClient(t, c, "first-")
			test.change(t, path)
			wantClient(t, c, "second")
		})
	}
}

// TestRereadsWhatIsYoung: two writes within the granularity of time stamps look
// alike, so a file that was young when it was read is read again.
func TestRereadsWhatIsYoung(t *testing.T) {
	c, dir := open(t, map[string]string{"github.toml": first})
	path := filepath.Join(dir, "github.toml")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	wantClient(t, c, "first-")
	write(t, path, second)
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	wantClient(t, c, "second")
}

// TestReload: what did not change by its looks is not read again, until Reload.
func TestReload(t *testing.T) {
	c, dir := open(t, map[string]string{"github.toml": first})
	path := filepath.Join(dir, "github.toml")
	age(t, path)
	wantClient(t, c, "first-")
	write(t, path, second)
	age(t, path)
	wantClient(t, c, "first-")
	if err := c.Reload(); err != nil {
		t.Errorf("Reload: %v", err)
	}
	wantClient(t, c, "second")
}

func TestFilesComeAndGo(t *testing.T) {
	c, dir := open(t, nil)
	path, own1 := filepath.Join(dir, "github.toml"), filepath.Join(dir, "own1.toml")
	wantClient(t, c, "")
	write(t, path, first)
	write(t, own1, own)
	wantClient(t, c, "first-")
	lookup(t, c, "own1")
	for _, path := range []string{path, own1} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	wantClient(t, c, "")
	wantUnknown(t, c, "own1")
	if diff := cmp.Diff(presetNames, names(c.List())); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestBrokenFileKeepsTheLastGoodOne(t *testing.T) {
	c, dir := open(t, map[string]string{"github.toml": first})
	path := filepath.Join(dir, "github.toml")
	wantClient(t, c, "first-")

	for _, spoil := range []func() error{
		func() error { return os.WriteFile(path, []byte(broken), 0o600) },
		func() error { return os.WriteFile(path, []byte("token_endpoint = 'http://elsewhere.example'"), 0o600) },
		func() error { return os.Remove(path) },
		func() error { return os.Mkdir(path, 0o700) },
		func() error { return os.Remove(path) },
		func() error { return os.WriteFile(path, make([]byte, 1<<20), 0o600) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(path); err != nil {
			continue // removed for the next kind of file, and not looked at
		}
		wantClient(t, c, "first-")
		problems := c.Problems()
		if len(problems) != 1 || !strings.Contains(problems[0].Error(), path) {
			t.Errorf("Problems: got %v, want one that names %s", problems, path)
		}
		if err := c.Reload(); err == nil || err.Error() != problems[0].Error() {
			t.Errorf("Reload: got %v, want %v", err, problems[0])
		}
		wantClient(t, c, "first-")
	}

	write(t, path, second)
	wantClient(t, c, "second")
	if got := c.Problems(); got != nil {
		t.Errorf("Problems after the repair: got %v", got)
	}
}

func TestUnreadableDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "providers")
	write(t, dir, "a file, not a directory")
	c := provider.Open(dir, nil)
	if diff := cmp.Diff(presetNames, names(c.List())); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if got := c.Problems(); len(got) == 0 || !strings.Contains(got[0].Error(), dir) {
		t.Errorf("Problems: got %v, want one that names %s", got, dir)
	}
}
