package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A loaded machine may take long to run a script that fails at once.
func TestMain(m *testing.M) {
	patience = 5 * time.Minute
	os.Exit(m.Run())
}

// programs puts programs in a folder that is all of PATH. Each is the rest of a
// shell script that has written its name and arguments, one a line, to the file
// that is returned.
func programs(t *testing.T, scripts map[string]string) (record string) {
	t.Helper()
	dir := t.TempDir()
	record = filepath.Join(dir, "record")
	for name, script := range scripts {
		text := fmt.Sprintf("#!/bin/sh\n{ echo %q; for a; do echo \"$a\"; done; } >>'%s'\n%s\n", name, record, script)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	return record
}

func recorded(t *testing.T, record string) string {
	t.Helper()
	text, err := os.ReadFile(record)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}

// env returns a getenv of a single variable.
func env(name, value string) func(string) string {
	return func(n string) string {
		if n == name {
			return value
		}
		return ""
	}
}

const link = "https://op.example/device?user_code=AB-CD&x=%20#f"

func TestOpen(t *testing.T) {
	for _, tt := range []struct {
		name, browser, link string
		scripts             map[string]string
		want, err           string
	}{
		{name: "the system's", scripts: map[string]string{"xdg-open": "", "firefox": ""}, want: "xdg-open\n" + link},
		{name: "the next one if it fails", scripts: map[string]string{"xdg-open": "exit 3", "gio": ""}, want: "xdg-open\n" + link + "\ngio\nopen\n" + link},
		{name: "all fail", scripts: map[string]string{"xdg-open": "exit 3", "gio": "exit 2"}, want: "xdg-open\n" + link + "\ngio\nopen\n" + link,
			err: "no browser could be started: xdg-open: exit status 3"},
		{name: "none is installed", err: "no browser could be started: none is installed"},
		{name: "a browser in the terminal is none", scripts: map[string]string{"www-browser": "", "lynx": ""}, err: "no browser could be started: none is installed"},
		{name: "a script without a shell to run it", scripts: map[string]string{"xdg-open": ""}, browser: "xdg-open --new", want: "xdg-open\n--new\n" + link},
		{name: "a list", browser: "missing:second:first", scripts: map[string]string{"first": "", "second": "", "xdg-open": ""}, want: "second\n" + link},
		{name: "a place for the link", browser: "first --app=%s -x%%y%c", scripts: map[string]string{"first": ""}, want: "first\n--app=" + link + "\n-x%y:"},
		{name: "BROWSER without one that is there", browser: "missing", scripts: map[string]string{"xdg-open": ""}, err: "no browser could be started: none is installed"},
		{name: "BROWSER says none", browser: "none", scripts: map[string]string{"none": "", "xdg-open": ""}, err: "no browser could be started: BROWSER names none"},
		{name: "the link is no program", browser: "%s", scripts: map[string]string{"xdg-open": ""}, err: "no browser could be started: BROWSER names none"},
		{name: "a name with blanks", browser: "my browser", scripts: map[string]string{"my browser": "", "my": ""}, want: "my browser\n" + link},
		{name: "what is for a shell stays", browser: "first $(touch x);y", scripts: map[string]string{"first": ""}, want: "first\n$(touch\nx);y\n" + link},
		{name: "this machine", link: "http://127.0.0.1:8085/cb?a=1&b=$x", scripts: map[string]string{"xdg-open": ""}, want: "xdg-open\nhttp://127.0.0.1:8085/cb?a=1&b=%24x"},
		{name: "written anew", link: "HTTPS://op.example/a", scripts: map[string]string{"xdg-open": ""}, want: "xdg-open\nhttps://op.example/a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			record := programs(t, tt.scripts)
			if tt.link == "" {
				tt.link = link
			}
			err := Open(t.Context(), tt.link, env("BROWSER", tt.browser))
			if got := fmt.Sprint(err); tt.err != "" && got != tt.err || tt.err == "" && err != nil {
				t.Errorf("error %q, want %q", got, tt.err)
			}
			if got := recorded(t, record); got != tt.want {
				t.Errorf("started:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

func TestOpenRefusesHostileLinks(t *testing.T) {
	record := programs(t, map[string]string{"xdg-open": "", "first": ""})
	for _, hostile := range []string{
		"", "javascript:alert(1)", "file:///etc/passwd", "--flag", "-https://op.example/", `\\evil.example\share`, "//evil.example/share",
		"a:$(calc)", "https://user@op.example/", "https://op.example/\x1b]0;x\a", "https://op.example/\n--flag", "http://op.example/",
		"data:text/html,x", "https://op.example/%0d%0a", " https://op.example/", "https:--flag", "ms-msdt:/id", "https://\u0430pple.example/",
	} {
		for _, browser := range []string{"", "first"} {
			err := Open(t.Context(), hostile, env("BROWSER", browser))
			if err == nil || !strings.HasPrefix(err.Error(), "no browser is opened: link ") {
				t.Errorf("%q: %v", hostile, err)
			}
		}
	}
	if got := recorded(t, record); got != "" {
		t.Errorf("started:\n%s", got)
	}
}

// A browser that stays is a success, and is left alone when the wait ends.
func TestOpenLeavesTheBrowserRunning(t *testing.T) {
	record := programs(t, nil)
	dir := filepath.Dir(record)
	// It reports itself with built-ins alone, as there is nothing else in PATH.
	script := `#!/bin/sh
read pid comm state ppid group session rest </proc/$$/stat
for fd in 0 1 2; do [ /proc/$$/fd/$fd -ef /dev/null ] || echo "fd $fd" >>'` + dir + `/wrong'; done
[ $session = $$ ] || echo session >>'` + dir + `/wrong'
[ -z "$USHER_SERVER_TOKEN$QWEN_SERVER_TOKEN" ] || echo token >>'` + dir + `/wrong'
echo started >'` + dir + `/started'
read line <'` + dir + `/fifo'
echo "$line" >'` + dir + `/ended'
`
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("USHER_SERVER_TOKEN", "secret")
	t.Setenv("QWEN_SERVER_TOKEN", "secret")
	ctx, cancel := context.WithCancel(t.Context())
	opened := make(chan error, 1)
	go func() { opened <- Open(ctx, link, env("", "")) }()
	appears(t, filepath.Join(dir, "started"))
	cancel()
	if err := <-opened; err != nil {
		t.Errorf("Open: %v", err)
	}
	if err := os.WriteFile(fifo, []byte("go on\n"), 0); err != nil {
		t.Fatal(err)
	}
	appears(t, filepath.Join(dir, "ended"))
	if wrong, err := os.ReadFile(filepath.Join(dir, "wrong")); err == nil {
		t.Errorf("the browser has what it should not: %s", wrong)
	}
}

// appears waits for a file.
func appears(t *testing.T, name string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(name); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s never appears", name)
		}
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	record := programs(t, map[string]string{"xdg-open": ""})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Open(ctx, link, env("", "")); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v", err)
	}
	if got := recorded(t, record); got != "" {
		t.Errorf("started:\n%s", got)
	}
}

func TestSystemCommands(t *testing.T) {
	for _, tt := range []struct {
		name, goos string
		getenv     func(string) string
		want       string
	}{
		{"Linux", "linux", env("", ""), "xdg-open " + link},
		{"WSL", "linux", env("WSL_DISTRO_NAME", "Debian"), "wslview " + link},
		{"macOS", "darwin", env("", ""), "/usr/bin/open " + link},
	} {
		if got := strings.Join(system(tt.goos, tt.getenv, link)[0], " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// A program in the working folder is not one that the person installed.
func TestOpenStartsNothingOfTheWorkingFolder(t *testing.T) {
	record := programs(t, map[string]string{"xdg-open": ""})
	t.Chdir(filepath.Dir(record))
	t.Setenv("PATH", ".")
	if err := Open(t.Context(), link, env("", "")); err == nil {
		t.Error("Open: no error")
	}
	if got := recorded(t, record); got != "" {
		t.Errorf("started:\n%s", got)
	}
}
