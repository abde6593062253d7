//go:build unix

package atomicfile_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/atomicfile"
)

// childEnv makes the test binary play a part in a process of its own;
// its value is the part and a path.
const childEnv = "ATOMICFILE_TEST_CHILD"

func TestMain(m *testing.M) {
	if part, path, ok := strings.Cut(os.Getenv(childEnv), ":"); ok {
		child(part, path)
	}
	os.Exit(m.Run())
}

func child(part, path string) {
	switch part {
	case "orphan": // stage with a reserve, then wait to be killed
		if _, err := atomicfile.Stage(path, 0o600, 100); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("staged")
		select {}
	case "limit": // write more than the process may
		limit := syscall.Rlimit{Cur: 1000, Max: 1000}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			fmt.Println("setrlimit:", err)
			os.Exit(1)
		}
		_, err := atomicfile.Stage(path, 0o600, 2000)
		fmt.Println("stage too large:", errors.Is(err, syscall.EFBIG))
		err = atomicfile.Write(path, make([]byte, 2000), 0o600)
		fmt.Println("write too large:", errors.Is(err, syscall.EFBIG))
		os.Exit(0)
	}
	os.Exit(2)
}

func command(t *testing.T, part, path string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+part+":"+path)
	return cmd
}

// A link, a pipe, a socket or a directory in the place of a file is refused by
// Write, Stage and Read alike; what it leads to is untouched, and nothing hangs.
func TestPlantedTargetsAreRefused(t *testing.T) {
	tests := map[string]func(path, victim string) error{
		"symlink":          func(path, victim string) error { return os.Symlink(victim, path) },
		"relative symlink": func(path, victim string) error { return os.Symlink(filepath.Base(victim), path) },
		"dangling symlink": func(path, victim string) error { return os.Symlink(victim+"-missing", path) },
		"symlink loop":     func(path, _ string) error { return os.Symlink(path, path) },
		"hard link":        func(path, victim string) error { return os.Link(victim, path) },
		"named pipe":       func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
		"directory":        func(path, _ string) error { return os.Mkdir(path, 0o700) },
		"socket": func(path, _ string) error {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				return err
			}
			l.SetUnlinkOnClose(false)
			return l.Close()
		},
	}
	for name, plant := range tests {
		t.Run(name, func(t *testing.T) {
			dir := shortTempDir(t)
			path, victim := filepath.Join(dir, "file"), filepath.Join(dir, "victim")
			writeFile(t, victim, "precious")
			if err := plant(path, victim); err != nil {
				t.Fatal(err)
			}
			if err := atomicfile.Write(path, []byte("data"), 0o600); err == nil {
				t.Error("Write succeeded, want an error")
			} else if !strings.Contains(err.Error(), path) {
				t.Errorf("Write = %v, want an error that names the path", err)
			}
			if _, err := atomicfile.Stage(path, 0o600, 10); err == nil {
				t.Error("Stage succeeded, want an error")
			}
			if _, err := atomicfile.Read(path, 100); err == nil {
				t.Error("Read succeeded, want an error")
			} else if !strings.Contains(err.Error(), path) {
				t.Errorf("Read = %v, want an error that names the path", err)
			}
			checkContents(t, victim, "precious")
			checkNames(t, dir, "file", "victim")
		})
	}
	t.Run("device", func(t *testing.T) {
		if _, err := atomicfile.Read("/dev/zero", 100); err == nil {
			t.Error("Read of a device succeeded, want an error")
		}
	})
}

// A link that takes the target's place after staging is replaced, not followed:
// the data may exist nowhere else by then.
func TestCommitReplacesALateLink(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "file"), filepath.Join(dir, "victim")
	writeFile(t, victim, "precious")
	s, err := atomicfile.Stage(path, 0o600, 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, path); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit([]byte("data")); err != nil {
		t.Fatal(err)
	}
	checkContents(t, victim, "precious")
	if got, err := atomicfile.Read(path, 10); err != nil || string(got) != "data" {
		t.Errorf("Read = %q, %v, want the data in a regular file", got, err)
	}
}

func TestPermissionsIgnoreTheUmask(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o077, 0o777} {
		for _, perm := range []fs.FileMode{0o600, 0o644, 0o400} {
			t.Run(fmt.Sprintf("umask %03o, mode %03o", umask, perm), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file")
				old := syscall.Umask(umask)
				err := atomicfile.Write(path, []byte("data"), perm)
				syscall.Umask(old)
				if err != nil {
					t.Fatal(err)
				}
				info, err := os.Lstat(path)
				if err != nil {
					t.Fatal(err)
				}
				if got := info.Mode().Perm(); got != perm {
					t.Errorf("mode = %03o, want %03o", got, perm)
				}
			})
		}
	}
}

// What stands in for a full disk is a limit on the size of files, which fails
// the reservation and the write in the same places.
func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	writeFile(t, path, "old")
	out, err := command(t, "limit", path).CombinedOutput()
	if err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
	if want := "stage too large: true\nwrite too large: true\n"; string(out) != want {
		t.Errorf("child says:\n%swant:\n%s", out, want)
	}
	checkContents(t, path, "old")
	checkNames(t, filepath.Dir(path), "file")
}

func TestSweepRemovesWhatAKilledProcessLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	cmd := command(t, "orphan", path)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "staged\n" {
		t.Errorf("child says %q, %v, want that it staged", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("child ended well, want it killed")
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Fatalf("ReadDir = %v, %v, want one orphan", entries, err)
	}
	if err := atomicfile.Sweep(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	checkNames(t, filepath.Dir(path))
}

func TestEnsureDirRefusals(t *testing.T) {
	dir := t.TempDir()
	mkdir := func(name string, perm fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, perm)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(mkdir("target", 0o700), link); err != nil {
		t.Fatal(err)
	}
	// The superuser owns the root directory, so it needs another example.
	foreign := "/"
	if os.Geteuid() == 0 {
		foreign = mkdir("foreign", 0o700)
		if err := os.Chown(foreign, 65534, -1); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ name, path, want string }{
		{"symlink", link, "symbolic link"},
		{"symlink with a slash", link + "/", "symbolic link"},
		{"group-writable", mkdir("group", 0o770), "mode 0770"},
		{"world-writable", mkdir("world", 0o707), "mode 0707"},
		{"sticky", mkdir("sticky", 0o777|fs.ModeSticky), "mode 0777"},
		{"another owner", foreign, "belongs to uid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for call, do := range map[string]func(string) error{"EnsureDir": atomicfile.EnsureDir, "CheckDir": atomicfile.CheckDir} {
				if err := do(tt.path); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s = %v, want an error about %q", call, err, tt.want)
				}
			}
		})
	}
	if err := atomicfile.EnsureDir(mkdir("readable", 0o755)); err != nil {
		t.Errorf("EnsureDir of a directory others may read = %v, want nil", err)
	}
}

func TestEnsureDirCreatesPrivate(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "a")
	if err := atomicfile.EnsureDir(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "b")} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o700 {
			t.Errorf("mode of %s = %03o, want 700", filepath.Base(path), got)
		}
	}
}

// The contents of a temporary file are as secret as the file it becomes.
func TestTemporaryFileIsPrivate(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := t.TempDir()
	s, err := atomicfile.Stage(filepath.Join(dir, "file"), 0o600, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Abort()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("ReadDir = %v, %v, want one file", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != 0o600 {
		t.Errorf("mode = %v, want -rw-------", got)
	}
}

// shortTempDir is short enough for the path of a socket.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "af")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// A pipe in the place of the folder is refused; opening it would wait for ever.
func TestAFolderThatIsAPipeIsRefused(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Sweep": func() error { return atomicfile.Sweep(pipe) },
		"Write": func() error { return atomicfile.Write(filepath.Join(pipe, "file"), nil, 0o600) },
	} {
		done := make(chan error, 1)
		go func() { done <- call() }()
		select {
		case err := <-done:
			if !errors.Is(err, syscall.ENOTDIR) {
				t.Errorf("%s = %v, want ENOTDIR", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s waits for a writer of the pipe", name)
		}
	}
}
