//go:build unix

package token_test

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// R13: the holder of the lock is stopped, not dead. Nobody takes the lock from
// it: others serve what is usable, wait when nothing is, and get what the holder
// brings when it goes on.
func TestHolderIsStopped(t *testing.T) {
	dir, p := newShared(t, 56*time.Minute)
	arrived, answer := make(chan struct{}), make(chan struct{})
	p.script[1] = func(w http.ResponseWriter, _ *http.Request, grant func(http.ResponseWriter)) {
		close(arrived)
		<-answer
		grant(w)
	}
	holder, other := startReader(t, dir), startReader(t, dir)
	read := func(r *reader, want string) {
		t.Helper()
		if got := r.answer(); got != want {
			t.Errorf("read %q, want %s", got, want)
		}
	}
	ask := func(r *reader, ahead time.Duration) {
		t.Helper()
		if err := r.ask(ahead, 0); err != nil {
			t.Fatal(err)
		}
	}
	ask(holder, 0)
	read(holder, "at-1")
	select {
	case <-arrived:
	case <-time.After(30 * time.Second):
		t.Fatal("no refresh arrived")
	}
	if err := holder.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	close(answer)
	ask(other, 0)
	read(other, "at-1")
	ask(other, 5*time.Minute) // nothing is usable any more
	if err := holder.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	read(other, "at-2")
	ask(holder, 0)
	read(holder, "at-2")
	if got := fmt.Sprint(p.seen()); got != "[rt-1]" {
		t.Errorf("refresh tokens sent = %s, want rt-1 once", got)
	}
}
