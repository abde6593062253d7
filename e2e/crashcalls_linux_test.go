package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// effects are the system calls by which a process touches files, locks and the
// network. Between two of them a kill is the same as at the second: what a
// process does to itself dies with it.
var effects = map[uint64]string{
	syscall.SYS_OPENAT: "openat", syscall.SYS_CLOSE: "close", syscall.SYS_READ: "read", syscall.SYS_WRITE: "write",
	syscall.SYS_PWRITE64: "pwrite64", syscall.SYS_FSYNC: "fsync", syscall.SYS_FTRUNCATE: "ftruncate",
	syscall.SYS_FALLOCATE: "fallocate", syscall.SYS_RENAMEAT: "renameat", syscall.SYS_LINKAT: "linkat",
	syscall.SYS_UNLINKAT: "unlinkat", syscall.SYS_MKDIRAT: "mkdirat", syscall.SYS_FCHMOD: "fchmod",
	syscall.SYS_FLOCK: "flock", syscall.SYS_GETDENTS64: "getdents64", syscall.SYS_SOCKET: "socket",
	syscall.SYS_CONNECT: "connect", syscall.SYS_SETSOCKOPT: "setsockopt", syscall.SYS_EXIT_GROUP: "exit_group",
}

// A stopper runs a program and kills it at a system call, as `strace
// --inject=signal=KILL` would, but counts the calls of all threads together:
// those of a Go program may come from any of them.
type stopper struct {
	// dir: the count begins with the first call on a path below it.
	dir string
	// at is the number of the call to be killed at, from 1; 0 for never.
	at int
	// afterAnswer, unless 0, is how long after the answer to kill instead.
	afterAnswer time.Duration

	pid    int
	n      int  // calls so far
	begun  bool // the store was touched
	sent   bool // the refresh request has been written
	doomed bool // afterAnswer has begun
	stores bool // cred.json is about to be replaced
	stored bool // it has been
	call   string
}

// run runs a command with its output in files; the call at which it was killed
// has not been carried out.
func (s *stopper) run(cmd *exec.Cmd) (ending, error) {
	// All requests to the kernel must come from the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var streams [2]*os.File
	for i := range streams {
		f, err := os.CreateTemp("", "ue-out")
		if err != nil {
			return ending{}, err
		}
		defer os.Remove(f.Name())
		defer f.Close()
		streams[i] = f
	}
	path, err := exec.LookPath(cmd.Path)
	if err != nil {
		return ending{}, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return ending{}, err
	}
	defer null.Close()
	s.pid, err = syscall.ForkExec(path, cmd.Args, &syscall.ProcAttr{
		Env:   cmd.Environ(),
		Files: []uintptr{null.Fd(), streams[0].Fd(), streams[1].Fd()},
		Sys:   &syscall.SysProcAttr{Ptrace: true, Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return ending{}, err
	}
	status, err := s.trace()
	if err != nil {
		syscall.Kill(s.pid, syscall.SIGKILL)
		return ending{}, fmt.Errorf("tracing: %w", err)
	}
	var out [2][]byte
	for i, f := range streams {
		if out[i], err = os.ReadFile(f.Name()); err != nil {
			return ending{}, err
		}
	}
	return ended(string(out[0]), string(out[1]), status), nil
}

// trace follows all threads to the end of the process.
func (s *stopper) trace() (syscall.WaitStatus, error) {
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(s.pid, &status, 0, nil); err != nil {
		return 0, err
	}
	const exitKill = 0x100000 // PTRACE_O_EXITKILL
	if err := syscall.PtraceSetOptions(s.pid, syscall.PTRACE_O_TRACESYSGOOD|syscall.PTRACE_O_TRACECLONE|exitKill); err != nil {
		return 0, err
	}
	tid, signal := s.pid, 0
	for {
		// A thread that is gone by now is no trouble: its end will be told.
		if err := syscall.PtraceSyscall(tid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return 0, err
		}
		for {
			var err error
			// The process group holds nothing else.
			tid, err = syscall.Wait4(-s.pid, &status, syscall.WALL, nil)
			if err == syscall.EINTR {
				continue
			}
			if err != nil {
				return 0, err
			}
			if !status.Exited() && !status.Signaled() {
				break
			}
			if tid == s.pid {
				return status, nil
			}
		}
		signal = 0
		switch stop := status.StopSignal(); stop {
		case syscall.SIGTRAP | 0x80:
			s.enter(tid)
		case syscall.SIGTRAP, syscall.SIGSTOP: // a new thread, and the thread itself
		default:
			signal = int(stop)
		}
	}
}

// callInfo is struct ptrace_syscall_info.
type callInfo struct {
	op, _, _, _ uint8
	arch        uint32
	ip, sp      uint64
	nr          uint64
	args        [6]uint64
}

// enter looks at a system call that begins, and kills the process if it is the
// one.
func (s *stopper) enter(tid int) {
	const getSyscallInfo, entry = 0x420e, 1
	var info callInfo
	if _, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, getSyscallInfo, uintptr(tid), unsafe.Sizeof(info),
		uintptr(unsafe.Pointer(&info)), 0, 0); errno != 0 || info.op != entry {
		return
	}
	name := effects[info.nr]
	if name == "" || !s.begin(tid, info) {
		return
	}
	s.n++
	s.stored = s.stores // the call before is over
	if s.n == s.at {
		s.call = s.describe(tid, name, info)
		syscall.Kill(s.pid, syscall.SIGKILL)
		return
	}
	if s.sent && s.afterAnswer > 0 && name == "close" && !s.doomed {
		// The answer is read, and its connection goes first.
		s.doomed = true
		time.AfterFunc(s.afterAnswer, func() { syscall.Kill(s.pid, syscall.SIGKILL) })
	}
	switch name {
	case "write":
		s.sent = s.sent || strings.HasPrefix(s.text(tid, info.args[1]), "POST ")
	case "renameat":
		s.stores = s.stores || s.text(tid, info.args[3]) == "cred.json"
	}
}

// begin reports whether the store has been touched.
func (s *stopper) begin(tid int, info callInfo) bool {
	s.begun = s.begun || info.nr == syscall.SYS_OPENAT && strings.HasPrefix(s.text(tid, info.args[1]), s.dir)
	return s.begun
}

// text is the beginning of a text of the traced process.
func (s *stopper) text(tid int, address uint64) string {
	buf := make([]byte, 256)
	n, _ := syscall.PtracePeekData(tid, uintptr(address), buf)
	text, _, _ := bytes.Cut(buf[:n], []byte{0})
	return string(text)
}

// describe says what a call is about, for people.
func (s *stopper) describe(tid int, name string, info callInfo) string {
	about := ""
	switch name {
	case "openat", "mkdirat", "unlinkat":
		about = s.text(tid, info.args[1])
	case "renameat", "linkat":
		about = s.text(tid, info.args[3])
	case "socket", "exit_group":
	default:
		about, _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, info.args[0]))
	}
	if strings.HasSuffix(about, ".tmp") {
		about = "temporary file"
	}
	return name + " " + filepath.Base(about)
}

// atCall kills at the nth call after the store was first touched.
func atCall(n int) killer {
	return func(s *stock, key string) (death, error) {
		stopper := &stopper{dir: s.data(key), at: n}
		cmd := s.token(key)
		cmd.Env = append(cmd.Env, "GOMAXPROCS=1")
		e, err := stopper.run(cmd)
		switch {
		case err != nil:
			return death{}, err
		case e.signal == 0 && e.code != exitOK:
			return death{}, fmt.Errorf("the refresh ended before it was killed: %v", e)
		}
		d := death{killed: e.signal == syscall.SIGKILL, where: stopper.call}
		d.window = stopper.sent && !stopper.stored && d.killed
		d.exact = true // a request that has been written arrives
		return d, nil
	}
}

// TestRefreshSurvivesKillAtEveryCall kills refreshes of the released program at
// every system call by which they touch the world, from the first touch of the
// store on. Only the calls between the request and the rename of its answer
// into place cost a login, each of them does, and that on a strict server alone.
func TestRefreshSurvivesKillAtEveryCall(t *testing.T) {
	t.Parallel()
	all := callsOfARefresh(t)
	for _, rotation := range rotations {
		t.Run(rotation, func(t *testing.T) {
			t.Parallel()
			var trials []trial
			for n := range all {
				trials = append(trials, trial{fmt.Sprintf("call %d", n+1), []killer{atCall(n + 1)}})
			}
			verdicts := crash(t, rotation, trials)
			killed, window, lost := tally(verdicts)
			t.Logf("of %d calls: killed at %d, %d of them within the window, %d logins lost", all, killed, window, lost)
			if killed < len(trials)*9/10 || window == 0 {
				t.Errorf("killed at %d of %d calls, %d of them within the window", killed, len(trials), window)
			}
			if testing.Verbose() {
				for _, v := range verdicts {
					t.Logf("%-10s %-32s lost: %t", v.name, v.deaths[0].where, v.lost)
				}
			}
		})
	}
}

// callsOfARefresh counts them in a refresh that is left alone.
func callsOfARefresh(t *testing.T) int {
	t.Helper()
	s := newStock(t, 1)
	stopper := &stopper{dir: s.data(s.keys[0])}
	cmd := s.token(s.keys[0])
	cmd.Env = append(cmd.Env, "GOMAXPROCS=1")
	e, err := stopper.run(cmd)
	if err != nil || e.code != exitOK || !stopper.sent || !stopper.stored {
		t.Fatalf("a refresh that is traced: %v, %v, %+v", e, err, stopper)
	}
	return stopper.n
}
