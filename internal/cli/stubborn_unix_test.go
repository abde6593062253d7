//go:build unix

package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// asStubborn is the argument that makes the test binary a command which tells
// what it is and which signals it gets, and obeys none of them.
const asStubborn = "be-stubborn"

// stubborn is what it says first.
type stubborn struct {
	PID, Parent, Group int
	// Ignored are the signals that it ignores, on Linux.
	Ignored uint64
	// Files are the numbers of its open files.
	Files []int
	// Foreground is the group in the foreground of its terminal, 0 without one.
	Foreground int
}

// beStubborn obeys lines on standard input alone: "exit N".
func beStubborn() int {
	first := stubborn{PID: os.Getpid(), Parent: os.Getppid(), Group: unix.Getpgrp()}
	first.Ignored = ignoredSignals()
	// What the runtime of this very program has opened is not closed at its own
	// start, unlike what it was given.
	for fd := range 1024 {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			first.Files = append(first.Files, fd)
		}
	}
	first.Foreground, _ = unix.IoctlGetInt(0, unix.TIOCGPGRP)
	got := make(chan os.Signal, 100)
	signal.Notify(got, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCONT)
	out := json.NewEncoder(os.Stdout)
	_ = out.Encode(first)
	orders := make(chan string)
	go func() {
		defer close(orders)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			orders <- in.Text()
		}
	}()
	for {
		select {
		case s := <-got:
			_ = out.Encode(s.String())
		case order, ok := <-orders:
			if !ok {
				return 98 // whoever gave the orders is gone
			}
			code, err := strconv.Atoi(strings.TrimPrefix(order, "exit "))
			if err != nil {
				fmt.Fprintln(os.Stderr, "stubborn:", err)
				return 99
			}
			return code
		}
	}
}

// ignoredSignals is what Linux tells of this process; elsewhere none.
func ignoredSignals() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "SigIgn:"); ok {
			mask, _ := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			return mask
		}
	}
	return 0
}
