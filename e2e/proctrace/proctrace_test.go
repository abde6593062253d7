package proctrace_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usherauth/usher/e2e/proctrace"
)

// TestStartsSeesARealChild traces a program that starts threads alone, and the
// same program when it also starts a child.
func TestStartsSeesARealChild(t *testing.T) {
	dir := t.TempDir()
	spawner := filepath.Join(dir, "spawner")
	if out, err := exec.Command("go", "build", "-o", spawner, "./testdata/spawner").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	trace := func(args ...string) (starts []string, text string) {
		t.Helper()
		file := filepath.Join(dir, "trace")
		argv := append(append(proctrace.Prefix(file), spawner), args...)
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
		starts, err := proctrace.Starts(file)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := os.ReadFile(file)
		return starts, string(data)
	}

	starts, text := trace()
	if len(starts) > 0 {
		t.Errorf("a program with threads alone: %q", starts)
	}
	if !strings.Contains(text, "CLONE_THREAD") {
		t.Error("the trace shows no thread, so it proves nothing about them")
	}

	starts, _ = trace("true")
	all := strings.Join(starts, "\n")
	if !strings.Contains(all, "clone") || !strings.Contains(all, "execve") {
		t.Errorf("a program with a child: %q", starts)
	}
}

func TestStartsOfLines(t *testing.T) {
	const start = `100 execve("/bin/p", ["p"], 0x7ff /* 9 vars */) = 0` + "\n"
	const thread = `100 clone(child_stack=0xc000, flags=CLONE_VM|CLONE_THREAD <unfinished ...>` + "\n" +
		`101 --- SIGURG {si_signo=SIGURG} ---` + "\n" + `100 <... clone resumed>, tls=0xc0) = 101` + "\n" + `101 +++ exited with 0 +++` + "\n"
	tests := []struct {
		name, trace string
		want        int
		fails       bool
	}{
		{name: "threads", trace: start + thread},
		{name: "a thread that was gone", trace: start + "101 ???( <detached ...>\n"},
		{name: "fork", trace: start + "100 fork() = 102\n", want: 1},
		{name: "vfork", trace: start + "100 vfork( <unfinished ...>\n", want: 1},
		{name: "clone of a process", trace: start + "100 clone(child_stack=NULL, flags=CLONE_VM|CLONE_VFORK|SIGCHLD) = 102\n", want: 1},
		{name: "clone3 of a process", trace: start + "100 clone3({flags=CLONE_VM|CLONE_PIDFD, exit_signal=SIGCHLD}, 88) = 102\n", want: 1},
		{name: "clone3 of a thread", trace: start + "100 clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0}, 88) = 102\n"},
		{name: "a second execve", trace: start + `100 execve("/bin/q", ["q"], 0x7ff) = -1 ENOENT` + "\n", want: 1},
		{name: "execveat", trace: start + `100 execveat(3, "", ["q"], 0x7ff, AT_EMPTY_PATH) = 0` + "\n", want: 1},
		{name: "an empty trace", fails: true},
		{name: "a foreign line", trace: start + "strace: something\n", fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "trace")
			if err := os.WriteFile(file, []byte(tt.trace), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := proctrace.Starts(file)
			if len(got) != tt.want || (err != nil) != tt.fails {
				t.Errorf("got %q, %v; want %d starts, error %v", got, err, tt.want, tt.fails)
			}
		})
	}
}
