package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// A diskFault is something that is wrong with the disk or the files on it, before
// a refresh or in the middle of one.
type diskFault struct {
	name string
	// spoil makes it so, and mend undoes it.
	spoil, mend func(s *stock)
	// inject is what strace makes of system calls instead: what a disk that is
	// broken answers, or one that has become read-only under open files.
	inject string
	// midway: it happens while the answer is on its way, and the answer must
	// not be lost. Otherwise the refresh token must not be spent.
	midway bool
	// says is part of the message.
	says string
}

const dataSize = "size=512k"

var diskFaults = []diskFault{
	{name: "full", spoil: (*stock).fill, mend: (*stock).free, says: "no space left"},
	{name: "full midway", spoil: (*stock).fill, mend: (*stock).free, midway: true},
	{name: "out of files", spoil: (*stock).fillWithFiles, mend: (*stock).freeFiles, says: "no space left"},
	{name: "out of files midway", spoil: (*stock).fillWithFiles, mend: (*stock).freeFiles, midway: true},
	{name: "read-only", spoil: (*stock).protect, mend: (*stock).unprotect, says: "read-only"},
	{name: "read-only midway", spoil: (*stock).protect, mend: (*stock).unprotect, midway: true},

	{name: "write fails", inject: "pwrite64:error=EIO", says: "input/output error"},
	{name: "write fails midway", inject: "pwrite64:error=EIO", midway: true},
	{name: "sync fails", inject: "fsync:error=EIO", says: "input/output error"},
	{name: "sync fails midway", inject: "fsync:error=EIO", midway: true},
	{name: "rename fails", inject: "renameat:error=EIO", says: "input/output error"},
	{name: "rename fails midway", inject: "renameat:error=EIO", midway: true},
	{name: "quota", inject: "fallocate:error=EDQUOT", says: "quota"},
	{name: "quota midway", inject: "pwrite64:error=EDQUOT", midway: true},
	{name: "read-only at once midway", inject: "pwrite64,ftruncate,renameat,unlinkat:error=EROFS", midway: true},

	{name: "another owner of everything", spoil: giveAway("c0"), mend: takeBack("c0"), says: "belongs to uid"},
	{name: "another owner of the credential's folder", spoil: giveAway("c0/credentials/*"), mend: takeBack("c0/credentials/*"), says: "belongs to uid"},
	{name: "a link for the credential", spoil: plant("cred.json"), mend: uproot("cred.json"), says: "symbolic link"},
	{name: "a link for the one before", spoil: plant("cred.prev"), mend: uproot("cred.prev"), says: "symbolic link"},
	{name: "a link for the intent", spoil: plant("intent.json"), mend: uproot("intent.json"), says: "symbolic link"},
	{name: "a link for the lock", spoil: plant("lock"), mend: uproot("lock"), says: "lock"},
	{name: "a link for the spill", spoil: plant("spill"), mend: uproot("spill"), says: "spill"},
	{name: "a link for the folder", spoil: plant("."), mend: uproot("."), says: "symbolic link"},
}

// TestRefreshDiskFaults refreshes on broken disks. A refresh token is not spent
// when its successor could not be stored, and one that was spent has its
// successor stored when the disk is well again; so the login goes on in any case.
// Each data folder is a disk of its own, in a mount namespace that ends with the
// test: it runs itself there.
func TestRefreshDiskFaults(t *testing.T) {
	if os.Getenv(builtVariable) == "" {
		t.Parallel()
		inOwnMounts(t)
		return
	}
	for i, f := range diskFaults {
		modes := rotations[i%2:][:1]
		if f.midway || *crashLong {
			modes = rotations
		}
		for _, rotation := range modes {
			t.Run(rotation+" "+f.name, func(t *testing.T) {
				t.Parallel()
				f.run(t, rotation)
			})
		}
	}
}

// inOwnMounts runs the calling test once more, in a process with mounts of its
// own. It takes root, who is also the only one to give a file away.
func inOwnMounts(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("disks that break can be made by root only: run the tests as root, such as in a container")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.run=^"+t.Name()+"$", fmt.Sprintf("-crash.long=%t", *crashLong))
	cmd.Env = append(os.Environ(), builtVariable+"="+binary)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("in a mount namespace of its own: %v\n%s", err, out)
	}
}

func (f *diskFault) run(t *testing.T, rotation string) {
	plan := filepath.Join(t.TempDir(), "faults.json")
	if err := os.WriteFile(plan, []byte(`[{"endpoint": "token.refresh", "calls": [1], "do": {"answer_delay_ms": 4000}}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHome(t)
	h.mount(dataSize)
	s := stockAt(h, 1, "--rotation", rotation, "--faults", plan)
	key := s.keys[0]
	before, err := s.stored(key)
	if err != nil {
		t.Fatal(err)
	}
	token := ""
	if f.midway {
		token = f.spent(s, key)
	} else {
		f.unspent(s, key)
		token, err = oneToken(s, key)
		if err != nil {
			t.Fatalf("when it is mended: %v", err)
		}
	}
	after, err := s.stored(key)
	requests, issued := s.box.refreshes()
	if err != nil || after.Generation != before.Generation+1 || len(requests[key]) != 1 || !issued[token] {
		t.Errorf("generation %d after %d, %d requests, issued: %t, %v", after.Generation, before.Generation, len(requests[key]), issued[token], err)
	}
	s.goesOn(key, token)
	if n := s.box.record().DeviceAuthorizations; n != 1 {
		t.Errorf("%d logins were started, want the first alone", n)
	}
}

// unspent is a refresh on a disk that is broken from the start.
func (f *diskFault) unspent(s *stock, key string) {
	s.t.Helper()
	cmd := s.token(key)
	if f.inject != "" {
		cmd = s.command(key, "strace", "-f", "-qq", "-o", os.DevNull, "-e", "inject="+f.inject, binary, "token", key)
	} else {
		f.spoil(s)
	}
	e := s.run(cmd)
	if e.code != exitStore || e.stdout != "" || !strings.Contains(e.stderr, f.says) || !strings.Contains(e.stderr, s.dir) || !strings.Contains(e.stderr, "\nhint: ") {
		s.t.Errorf("%v; want exit %d and a message with %q, the place and a hint", e, exitStore, f.says)
	}
	if n := s.box.arrived("token.refresh"); n != 0 {
		s.t.Errorf("the refresh token was spent: %d requests", n)
	}
	if f.mend != nil {
		f.mend(s)
	}
}

// spent is a refresh on a disk that breaks when the refresh token is spent. What
// refreshes has its token, and has stored it when it ends.
func (f *diskFault) spent(s *stock, key string) (token string) {
	s.t.Helper()
	cmd, done := s.begin(key)
	s.requested()
	if f.inject != "" {
		f.injectInto(s, cmd.Process.Pid)
	} else {
		f.spoil(s)
	}
	e := <-done
	if e.code != exitOK {
		s.t.Errorf("the one that refreshes: %v", e)
	}
	if f.mend != nil {
		f.mend(s)
	}
	return strings.TrimSpace(e.stdout)
}

// injectInto makes the calls of a running process fail until the answer could
// neither be stored nor put aside.
func (f *diskFault) injectInto(s *stock, pid int) {
	s.t.Helper()
	calls, _, _ := strings.Cut(f.inject, ":")
	trace := filepath.Join(s.base, "trace")
	tracer := s.start(s.home.command("strace", "-f", "-qq", "-o", trace, "-e", "trace="+calls, "-e", "inject="+f.inject, "-p", fmt.Sprint(pid)))
	oidcprovider.Poll(s.t, "the tracer at work on all threads", func() bool {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		for _, task := range tasks {
			if text, err := os.ReadFile(task); err != nil || !strings.Contains(string(text), "\nTracerPid:\t"+fmt.Sprint(tracer.cmd.Process.Pid)+"\n") {
				return false
			}
		}
		return len(tasks) > 0
	})
	oidcprovider.Poll(s.t, "calls that fail", func() bool {
		text, err := os.ReadFile(trace)
		return err == nil && strings.Count(string(text), "(INJECTED)") >= 2
	})
	if err := tracer.cmd.Process.Signal(syscall.SIGINT); err != nil {
		s.t.Fatal(err)
	}
	tracer.rest()
	tracer.wait()
}
