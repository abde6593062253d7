package cli

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/internal/filelock"
)

// holdLock plays a daemon that holds the lock, and nothing more.
func (i *installation) holdLock() {
	i.t.Helper()
	if err := atomicfile.EnsureDir(i.dir); err != nil {
		i.t.Fatal(err)
	}
	lock, ok, err := filelock.TryAcquire(filepath.Join(i.dir, "daemon.lock"))
	if err != nil || !ok {
		i.t.Fatalf("taking the lock: %v, %v", ok, err)
	}
	i.t.Cleanup(func() { _ = lock.Release() })
}

func TestDaemonThatDoesNotAnswerIsLeftAlone(t *testing.T) {
	t.Parallel()
	// why is what is said of those that are there in part.
	why := map[string]string{"no daemon.json": "it is starting or stopping", "nobody listens": "it is starting or stopping"}
	for name, prepare := range map[string]func(i *installation){
		"no daemon.json": func(*installation) {},
		"damaged daemon.json": func(i *installation) {
			write(t, filepath.Join(i.dir, "daemon.json"), "{")
		},
		"nobody listens": func(i *installation) {
			write(t, filepath.Join(i.dir, "daemon.json"), `{"socket":"`+i.dir+`/daemon.sock","config":"`+i.env["USHER_CONFIG"]+`"}`)
		},
		"listens and is silent": func(i *installation) {
			l, err := net.Listen("unix", filepath.Join(i.dir, "daemon.sock"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			write(t, filepath.Join(i.dir, "daemon.json"), `{"socket":"`+i.dir+`/daemon.sock","config":"`+i.env["USHER_CONFIG"]+`"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			i.holdLock()
			prepare(i)
			r := i.run("status", "--json")
			if r.code != 0 || r.out != "[]\n" || !strings.Contains(r.err, "the daemon does not answer ("+why[name]) {
				t.Errorf("exit %d, stdout %q, stderr %q", r.code, r.out, r.err)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What a daemon that is gone left behind must not lead anywhere.
func TestDaemonFileWithoutLockIsIgnored(t *testing.T) {
	i := install(t)
	if err := atomicfile.EnsureDir(i.dir); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(i.dir, "daemon.lock"), "")
	write(t, filepath.Join(i.dir, "daemon.json"), `{"socket":"/nonexistent","config":"/elsewhere"}`)
	if r := i.run("status", "--json"); r.code != 0 || r.out != "[]\n" || r.err != "" {
		t.Errorf("exit %d, stdout %q, stderr %q", r.code, r.out, r.err)
	}
}

func TestDaemonOfAnotherConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.serve()
	mine := i.env["USHER_CONFIG"]
	i.env["USHER_CONFIG"] = mine + ".other"
	for _, args := range [][]string{{"status"}, {"token", "x"}, {"login", "x"}, {"logout", "x"}} {
		r := i.run(args...)
		if r.code != api.ExitUsage || !strings.Contains(r.err, mine+",") || !strings.Contains(r.err, mine+".other") {
			t.Errorf("%v: exit %d, stderr %q, want 2 and both paths", args, r.code, r.err)
		}
	}
	// Another name for the same file is the same configuration.
	write(t, mine, "")
	i.env["USHER_CONFIG"] = mine + ".link"
	if err := os.Symlink(mine, mine+".link"); err != nil {
		t.Fatal(err)
	}
	if r := i.run("status", "--json"); r.code != 0 || r.out != "[]\n" {
		t.Errorf("through a link: exit %d, stderr %q", r.code, r.err)
	}
}

func TestHomeSecretIsMadeOnce(t *testing.T) {
	home := t.TempDir()
	got := make([]string, 16)
	var made sync.WaitGroup
	for n := range got {
		made.Go(func() {
			s, err := homeSecret(home, aliasKeyFile)
			if err != nil {
				t.Error(err)
			}
			got[n] = s.Reveal()
		})
	}
	made.Wait()
	for n := range got {
		if got[n] != got[0] || len(got[n]) != 64 {
			t.Fatalf("secret %d differs or has %d characters", n, len(got[n]))
		}
	}
	info, err := os.Stat(filepath.Join(home, aliasKeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v, want 0600", info.Mode(), err)
	}
	write(t, filepath.Join(home, serverTokenFile), "short\n")
	if _, err := homeSecret(home, serverTokenFile); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("a damaged secret gives %v, want an error without its contents", err)
	}
}

func TestLooking(t *testing.T) {
	i := install(t)
	r := i.run("status")
	if r.code != 0 || r.out != "" || !strings.Contains(r.err, "usher login KEY") {
		t.Errorf("status: exit %d, stdout %q, stderr %q", r.code, r.out, r.err)
	}
	if r := i.run(); r.code != 0 || r.out != "" || !strings.Contains(r.err, "usher demo") {
		t.Errorf("usher: exit %d, stdout %q, stderr %q", r.code, r.out, r.err)
	}
	if _, err := os.Stat(i.dir); !os.IsNotExist(err) {
		t.Errorf("looking made the data folder: %v", err)
	}
	r = i.run("status", "sandbox")
	if r.code != 3 || !strings.Contains(r.err, "usher login sandbox\n") {
		t.Errorf("status sandbox: exit %d, stderr %q", r.code, r.err)
	}
	r = i.run("status", "snadbox")
	if r.code != 2 || !strings.Contains(r.err, `unknown provider "snadbox", did you mean "sandbox"?`) {
		t.Errorf("status snadbox: exit %d, stderr %q", r.code, r.err)
	}
	delete(i.env, "USHER_HOME")
	delete(i.env, "HOME")
	if r := i.run("status"); r.code != 2 || !strings.Contains(r.err, "USHER_HOME") {
		t.Errorf("without folders: exit %d, stderr %q", r.code, r.err)
	}
}

func TestServerToken(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	write(t, file, "  from-file-0123456789\n")
	empty := filepath.Join(dir, "empty")
	write(t, empty, "\n")
	two := filepath.Join(dir, "two")
	write(t, two, "two words")
	for _, c := range []struct {
		name, file string
		env        map[string]string
		want       string // empty: an error
	}{
		{"file first", file, map[string]string{"USHER_SERVER_TOKEN": "u", "QWEN_SERVER_TOKEN": "q"}, "from-file-0123456789"},
		{"usher's variable", "", map[string]string{"USHER_SERVER_TOKEN": "u", "QWEN_SERVER_TOKEN": "q"}, "u"},
		{"qwen's variable", "", map[string]string{"QWEN_SERVER_TOKEN": " q "}, "q"},
		{"empty file", empty, nil, ""},
		{"two words", two, nil, ""},
		{"no file", filepath.Join(dir, "none"), nil, ""},
	} {
		a, _ := talker()
		a.getenv = func(name string) string { return c.env[name] }
		got, err := a.serverToken(dir, c.file)
		if got.Reveal() != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v, want %q", c.name, got.Reveal(), err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "two words") {
			t.Errorf("%s: the error shows the token: %v", c.name, err)
		}
	}
	a, said := talker()
	made, err := a.serverToken(dir, "")
	if err != nil || made.Len() != 64 || !strings.Contains(said.String(), filepath.Join(dir, "server-token")) {
		t.Errorf("made: %d characters, %v; said %q", made.Len(), err, said)
	}
	if strings.Contains(said.String(), made.Reveal()) {
		t.Error("the token was printed")
	}
	said.Reset()
	if again, err := a.serverToken(dir, ""); err != nil || !again.Equal(made) || said.Len() != 0 {
		t.Errorf("the second time: same %v, %v, said %q", again.Equal(made), err, said)
	}
}

func TestSessionsShareOneReplacement(t *testing.T) {
	i := install(t)
	a, said := talker()
	a.getenv = func(name string) string { return i.env[name] }
	dirs, err := config.FindDirs(a.getenv)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{app: a, dirs: dirs}
	gone := s.current()
	first, err := s.replace(gone)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close(cancelBound)
	second, err := s.replace(gone)
	if err != nil || first != second {
		t.Errorf("replaced twice: %v", err)
	}
	if n := bytes.Count(said.Bytes(), []byte("gone away")); n != 1 {
		t.Errorf("said it %d times", n)
	}
}
