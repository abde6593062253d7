package cli

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/child"
	"github.com/usherauth/usher/sandbox"
)

// TestExecBecomesTheCommand: nothing of usher remains in between.
func TestExecBecomesTheCommand(t *testing.T) {
	t.Parallel()
	i, _ := installLoggedIn(t, sandbox.Config{})
	inAllWays(t, i, func(t *testing.T, i *installation, run []string) {
		p, first := i.startStubborn(run, nil)
		if first.PID != p.cmd.Process.Pid || first.Parent != os.Getpid() || first.Group != unix.Getpgrp() {
			t.Errorf("the command is %+v; usher was started as %d by %d", first, p.cmd.Process.Pid, os.Getpid())
		}
		_, itself := i.startStubborn(nil, nil)
		files := itself.Files
		if run[1] == "--fd" {
			files = slices.Sorted(slices.Values(append(slices.Clone(files), 7)))
		}
		if !slices.Equal(first.Files, files) {
			t.Errorf("it has the files %v, want %v", first.Files, files)
		}
		if children := childrenOf(t, first.PID); len(children) > 0 {
			t.Errorf("it has children that it does not know: %v", children)
		}
		p.order(42)
		if code, _ := p.wait(); code != 42 {
			t.Errorf("exit %d, want 42", code)
		}
		i.noTokenFiles()
	})
}

// TestExecPassesSignals: each signal arrives once, sent to the process or to its
// group, and none ends a command that does not want to end.
func TestExecPassesSignals(t *testing.T) {
	t.Parallel()
	i, _ := installLoggedIn(t, sandbox.Config{})
	signals := []syscall.Signal{
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCONT,
	}
	inAllWays(t, i, func(t *testing.T, i *installation, run []string) {
		p, first := i.startStubborn(run, func(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} })
		for _, to := range []int{first.PID, -first.Group, first.PID} {
			for _, s := range signals {
				if err := syscall.Kill(to, s); err != nil {
					t.Fatal(err)
				}
				// The next one is sent when this one has come, so that one that
				// comes twice is taken for the next.
				var got string
				if p.line(&got); got != s.String() {
					t.Fatalf("sent %v, and got %s", s, got)
				}
			}
		}
		p.order(0)
		if code, rest := p.wait(); code != 0 || rest != "" {
			t.Errorf("exit %d, and more signals: %s", code, rest)
		}
	})
}

// TestExecStopsAndContinues as a job of a shell does.
func TestExecStopsAndContinues(t *testing.T) {
	t.Parallel()
	i, _ := installLoggedIn(t, sandbox.Config{})
	inAllWays(t, i, func(t *testing.T, i *installation, run []string) {
		p, first := i.startStubborn(run, func(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} })
		for range 2 {
			if err := syscall.Kill(-first.Group, syscall.SIGTSTP); err != nil {
				t.Fatal(err)
			}
			var status syscall.WaitStatus
			if _, err := syscall.Wait4(first.PID, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() || status.StopSignal() != syscall.SIGTSTP {
				t.Fatalf("status %x, %v", status, err)
			}
			if err := syscall.Kill(-first.Group, syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			var got string
			if p.line(&got); got != syscall.SIGCONT.String() {
				t.Fatalf("got %s", got)
			}
		}
		p.order(0)
		p.wait()
	})
}

// TestExecEndsAsTheCommand: exit codes, and deaths by signals.
func TestExecEndsAsTheCommand(t *testing.T) {
	t.Parallel()
	i, _ := installLoggedIn(t, sandbox.Config{})
	inAllWays(t, i, func(t *testing.T, i *installation, run []string) {
		for _, code := range []int{0, 1, 2, 3, 125, 126, 127, 128, 130, 255} {
			p := i.start(append(slices.Clone(run), "sh", "-c", "exit "+strconv.Itoa(code))...)
			if got, _ := p.wait(); got != code {
				t.Errorf("exit %d, want %d", got, code)
			}
		}
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL, syscall.SIGPIPE, syscall.SIGABRT} {
			p := i.start(append(slices.Clone(run), "sh", "-c", fmt.Sprintf("kill -%d $$", int(s)))...)
			p.wait()
			if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != s {
				t.Errorf("ended with %v, want %v", p.cmd.ProcessState, s)
			}
		}
		i.noTokenFiles()
	})
}

// TestExecLeavesSignals: the command ignores and blocks what it would without
// usher. Only a program that is none of Go can tell, whose runtime handles most
// signals.
func TestExecLeavesSignals(t *testing.T) {
	t.Parallel()
	i, _ := installLoggedIn(t, sandbox.Config{})
	tell := []string{"grep", "-E", "^Sig(Ign|Blk):", "/proc/self/status"}
	itself, err := exec.Command(tell[0], tell[1:]...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var blocked, ignored uint64
	if _, err := fmt.Sscanf(string(itself), "SigBlk:\t%x\nSigIgn:\t%x\n", &blocked, &ignored); err != nil {
		t.Fatalf("%q: %v", itself, err)
	}
	ignored &^= 1 << (unix.SIGPIPE - 1) // these tests run usher in their own process as well
	want := fmt.Sprintf("SigBlk:\t%016x\nSigIgn:\t%016x\n", blocked, ignored)
	inAllWays(t, i, func(t *testing.T, i *installation, run []string) {
		if code, out := i.start(append(slices.Clone(run), tell...)...).wait(); code != 0 || out != want {
			t.Errorf("exit %d, signals:\n%s\nwant:\n%s", code, out, want)
		}
	})
}

// TestExecKeepsWhatIsIgnored: jobs in the background of scripts, and nohup.
func TestExecKeepsWhatIsIgnored(t *testing.T) {
	t.Parallel()
	i, _ := installLoggedIn(t, sandbox.Config{})
	cmd := exec.Command("sh", "-c", `trap '' INT HUP; exec "$@"`, "sh", self(t), "exec", "here", "--", self(t), asStubborn)
	p := i.launch(cmd)
	var first stubborn
	p.line(&first)
	if want := uint64(1<<(unix.SIGINT-1) | 1<<(unix.SIGHUP-1)); first.Ignored&want != want {
		t.Errorf("ignored %x, want %x", first.Ignored, want)
	}
	p.order(0)
	p.wait()
}

// TestExecLeavesStandardInput: every byte of it is the command's.
func TestExecLeavesStandardInput(t *testing.T) {
	t.Parallel()
	i, _ := installLoggedIn(t, sandbox.Config{})
	data := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	want := sha256.Sum256(data)
	inAllWays(t, i, func(t *testing.T, i *installation, run []string) {
		p := i.start(append(slices.Clone(run), "cat")...)
		go func() {
			_, _ = io.Copy(p.in, bytes.NewReader(data))
			_ = p.in.Close()
		}()
		code, out := p.wait()
		if got := sha256.Sum256([]byte(out)); code != 0 || got != want {
			t.Errorf("exit %d, and %d bytes came through", code, len(out))
		}
	})
}

// TestExecLeavesChildrenBehind: what a command leaves running is not waited for,
// and the files are the command's alone.
func TestExecLeavesChildrenBehind(t *testing.T) {
	t.Parallel()
	i, _ := installLoggedIn(t, sandbox.Config{})
	inAllWays(t, i, func(t *testing.T, i *installation, run []string) {
		p := i.start(append(slices.Clone(run), "sh", "-c", "sleep 1000 >/dev/null 2>&1 </dev/null & echo $!")...)
		code, out := p.wait()
		left, err := strconv.Atoi(strings.TrimSpace(out))
		if code != 0 || err != nil {
			t.Fatalf("exit %d, said %q", code, out)
		}
		if err := syscall.Kill(left, syscall.SIGKILL); err != nil {
			t.Errorf("what was left behind: %v", err)
		}
		i.noTokenFiles()
	})
}

// TestExecAtATerminal: the command is in the foreground, and the keys that send
// signals reach it once.
func TestExecAtATerminal(t *testing.T) {
	t.Parallel()
	i, _ := installLoggedIn(t, sandbox.Config{})
	inAllWays(t, i, func(t *testing.T, i *installation, run []string) {
		s := i.atTerminal(80, append(slices.Clone(run), self(t), asStubborn)...)
		var first stubborn
		s.line(&first)
		if first.Foreground != first.Group || first.PID != s.cmd.Process.Pid {
			t.Errorf("not in the foreground: %+v", first)
		}
		for key, want := range map[string]syscall.Signal{"\x03": syscall.SIGINT, "\x1c": syscall.SIGQUIT} {
			for range 2 {
				s.types(key)
				var got string
				if s.line(&got); got != want.String() {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		}
		s.types("exit 5\n")
		if code, rest := s.wait(); code != 5 || rest != "" {
			t.Errorf("exit %d, then %q", code, rest)
		}
	})
}

// TestExecShowsTheTokenToNobodyElse: it is on no command line, in no other
// process's environment, and in no file that others may read.
func TestExecShowsTheTokenToNobodyElse(t *testing.T) {
	t.Parallel()
	for name, run := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A login of its own: one of the ways puts the token into an environment.
			i, token := installLoggedIn(t, sandbox.Config{})
			p, first := i.startStubborn(run, nil)
			for _, pid := range processes(t) {
				for _, what := range []string{"cmdline", "environ"} {
					data, err := os.ReadFile(filepath.Join("/proc", pid, what))
					if err != nil || what == "environ" && run[1] == "here" && pid == strconv.Itoa(first.PID) {
						continue // it has ended, or it is meant to have it
					}
					if bytes.Contains(data, []byte(token)) {
						t.Errorf("the token is in %s of process %s", what, pid)
					}
				}
			}
			for _, path := range i.tokenFiles() {
				for _, part := range []string{path, filepath.Dir(path)} {
					if info, err := os.Stat(part); err != nil || info.Mode().Perm()&0o077 != 0 {
						t.Errorf("%s: %v, %v", part, info.Mode(), err)
					}
				}
			}
			p.order(0)
			p.wait()
			if strings.Contains(p.err.String(), token) {
				t.Error("the token is on standard error")
			}
		})
	}
}

// TestExecInterrupted before the command: it does not begin.
func TestExecInterrupted(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.sandbox(sandbox.Config{})
	s := i.atTerminal(80, "exec", "here", "--", "echo", "begun")
	s.awaits("here needs a login: nobody is logged in yet. Log in now? [Y/n]")
	s.types("\x03")
	if code, out := s.wait(); code != api.ExitInterrupted || out != "" {
		t.Errorf("exit %d, said %q", code, out)
	}
}

// TestExecOffersTheLogin, and goes on with the command.
func TestExecOffersTheLogin(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.sandbox(auto)
	s := i.atTerminal(80, "exec", "here", "--", "sh", "-c", "test -n \"$HERE_TOKEN\" && echo begun")
	s.awaits("Log in now? [Y/n]")
	s.types("y\n")
	if code, out := s.wait(); code != 0 || out != "begun\n" {
		t.Errorf("exit %d, said %q", code, out)
	}
	s = i.atTerminal(80, "exec", "here/other", "--no-prompt", "--", "true")
	if code, out := s.wait(); code != child.ExitTrouble || out != "" {
		t.Errorf("exit %d, said %q", code, out)
	}
}
