package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// commandsStruck: one command in so many is struck, within commandsTake of
	// its start.
	commandsStruck = 8
	commandsTake   = 30 * time.Millisecond
	// longestStop is below what is left of a token that is handed out, so that
	// most of those stopped can still use theirs.
	longestStop = 800 * time.Millisecond
)

// A strike is something that happens to a process from outside.
type strike func(f *fleet, m *member)

// gently is all that may happen to a process without a login being lost, even
// at a server that forgives nothing.
var gently = []strike{stopAndContinue, end(syscall.SIGTERM), end(syscall.SIGINT), killIdle}

// strike does one of the things that happen to the fleet to a member.
func (f *fleet) strike(m *member) { f.strikes[f.pick(len(f.strikes))](f, m) }

// rage strikes somebody now and again, until the fleet ends.
func (f *fleet) rage(every time.Duration) {
	f.running.Go(func() {
		for f.ctx.Err() == nil {
			f.pause(every/2 + f.upTo(every))
			f.strike(f.members[f.pick(len(f.members))])
		}
	})
}

func end(s syscall.Signal) strike {
	return func(f *fleet, m *member) {
		if m.strike(m.is(), s) {
			f.count(s.String())
		}
	}
}

// stopAndContinue stops a process for a while, wherever it is.
func stopAndContinue(f *fleet, m *member) {
	p := m.is()
	if p == nil || p.Signal(syscall.SIGSTOP) != nil {
		return
	}
	f.pause(f.upTo(longestStop))
	_ = p.Signal(syscall.SIGCONT) // it may have been killed
	f.count("stopped")
}

// killIdle kills a process that does not hold the lock of a rotation. Between
// its request and its disk a kill may cost the login at a strict server, which
// nobody can help. The process is stopped to be looked at, so that what is seen
// holds.
func killIdle(f *fleet, m *member) {
	p := m.is()
	if p == nil || p.Signal(syscall.SIGSTOP) != nil {
		return
	}
	for !stopped(p.Pid) {
		time.Sleep(time.Millisecond)
	}
	if slices.Contains(f.home.rotating(), p.Pid) {
		_ = p.Signal(syscall.SIGCONT)
		f.count("spared")
		return
	}
	if m.strike(p, syscall.SIGKILL) {
		f.count("killed")
	}
}

// killHolder kills whoever holds the lock of a rotation next, at some moment of
// the time that the rotation takes.
func killHolder(rotationTakes time.Duration) strike {
	return func(f *fleet, _ *member) {
		for f.ctx.Err() == nil && len(f.home.rotating()) == 0 {
			f.pause(10 * time.Millisecond)
		}
		f.pause(f.upTo(rotationTakes))
		holders := f.home.rotating()
		for _, m := range f.members {
			if p := m.is(); p != nil && slices.Contains(holders, p.Pid) && m.strike(p, syscall.SIGKILL) {
				f.count("killed in a rotation")
			}
		}
	}
}

// stopped reports whether no thread of a process runs (proc_pid_stat(5)).
func stopped(pid int) bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if !strings.ContainsAny(rest[:1], "TtZX") {
			return false
		}
	}
	return true
}

// rotating are the processes that hold the rotation lock of a credential, as the
// kernel knows them (proc_locks(5)).
func (h *home) rotating() (pids []int) {
	files, _ := filepath.Glob(filepath.Join(h.dir, "credentials", "*", "lock"))
	text, err := os.ReadFile("/proc/locks")
	if err != nil {
		h.t.Error(err)
		return nil
	}
	for line := range strings.Lines(string(text)) {
		// 1: FLOCK  ADVISORY  WRITE 4711 fe:00:9977891 0 EOF
		fields := strings.Fields(line)
		if len(fields) != 8 || fields[1] != "FLOCK" {
			continue
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err == nil && strings.HasSuffix(fields[5], fmt.Sprintf(":%d", info.Sys().(*syscall.Stat_t).Ino)) {
				pid, _ := strconv.Atoi(fields[4])
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
