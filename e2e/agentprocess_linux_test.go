package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// killAttendant kills the one attendant, which is that of the login id.
func (h *home) killAttendant(id string) {
	h.t.Helper()
	pids := h.attendants()
	if len(pids) != 1 || !slices.Contains(arguments(pids[0]), id) {
		h.t.Fatalf("the attendants of %s: %v", id, pids)
	}
	wantDetached(h.t, pids[0])
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		h.t.Fatal(err)
	}
	oidcprovider.Poll(h.t, "the attendant is dead", func() bool { return len(h.attendants()) == 0 })
}

// wantDetached wants of a process that it has a session of its own, no terminal,
// no folder and no files but its own.
func wantDetached(t *testing.T, pid int) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // state ppid pgrp session tty_nr (proc(5))
	fields := strings.Fields(rest)
	if own := strconv.Itoa(pid); fields[2] != own || fields[3] != own || fields[4] != "0" {
		t.Errorf("the attendant %d has group %s, session %s, terminal %s", pid, fields[2], fields[3], fields[4])
	}
	if dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); dir != "/" {
		t.Errorf("the attendant's folder is %s, %v", dir, err)
	}
	if in, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", pid)); in != os.DevNull {
		t.Errorf("the attendant reads %s, %v", in, err)
	}
}

// attendants are the processes of this home that attend a login.
func (h *home) attendants() (pids []int) {
	for _, pid := range h.processes() {
		if slices.Contains(arguments(pid), "login-attend") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// processes are those that have this home in their environment, or a file of it
// open.
func (h *home) processes() (pids []int) {
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, dir := range all {
		if pid := pidOf(dir); h.has(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// pidOf is the process of a folder of /proc, whose name is a number.
func pidOf(dir string) int {
	pid, _ := strconv.Atoi(filepath.Base(dir))
	return pid
}

// has reports whether the process uses this home. One that has ended does not.
func (h *home) has(pid int) bool {
	env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if slices.Contains(strings.Split(string(env), "\x00"), "USHER_HOME="+h.dir) {
		return true
	}
	open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	return slices.ContainsFunc(open, func(fd string) bool {
		path, _ := os.Readlink(fd)
		return strings.HasPrefix(path, h.dir+"/")
	})
}

func arguments(pid int) []string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.Split(string(text), "\x00")
}

// wantNothingLeft stops the daemon and wants no process of this home to be left,
// but for the sandbox.
func (h *home) wantNothingLeft() {
	h.t.Helper()
	h.stop()
	oidcprovider.Poll(h.t, "no process is left", func() bool {
		return !slices.ContainsFunc(h.processes(), func(pid int) bool { return !slices.Contains(arguments(pid), "sandbox") })
	})
}
