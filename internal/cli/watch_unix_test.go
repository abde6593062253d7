//go:build unix

package cli

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/usherauth/usher/api"
)

// event decodes the next line of a watch with --json.
func (p *process) event() (e api.Event) {
	p.t.Helper()
	p.line(&e)
	return e
}

// A watch outlives the daemon: it says that one has gone, follows the next one,
// and says what that means.
func TestWatchGoesOnWithTheNextDaemon(t *testing.T) {
	i := install(t)
	i.sandbox(auto)
	first, _ := i.serve()
	i.imported("qwen-oauth")
	watch := i.start("watch", "--json", "--since", "all")
	if e := watch.event(); e.Type != api.EventCredentialStored || e.Credential == nil || e.Credential.Key != "qwen-oauth" {
		t.Fatalf("first event: %+v", e)
	}
	words := i.start("watch", "--since", "all")
	told := bufio.NewScanner(words.lines)
	if !told.Scan() || !strings.Contains(told.Text(), "qwen-oauth: logged in") {
		t.Fatalf("first line: %q", told.Text())
	}
	first.signal(syscall.SIGTERM)
	first.wait()
	eventually(t, "the watch says that the daemon has gone", func() bool {
		return strings.Contains(watch.err.String(), "the daemon has stopped; this goes on when it is back")
	})
	second, _ := i.serve()
	if e := watch.event(); e.Type != api.EventStreamResync {
		t.Fatalf("event of the next daemon: %+v", e)
	}
	if !told.Scan() || !strings.Contains(told.Text(), "the daemon was restarted, so events may be missing before this") {
		t.Fatalf("line of the next daemon: %q", told.Text())
	}
	i.imported("qwen-oauth/work")
	if e := watch.event(); e.Type != api.EventCredentialStored || e.Credential.Key != "qwen-oauth/work" {
		t.Fatalf("event after the restart: %+v", e)
	}
	for _, p := range []*process{watch, words} {
		p.signal(syscall.SIGINT)
		if code, _ := p.wait(); code != api.ExitOK {
			t.Errorf("%v: exit %d", p.cmd.Args[1:], code)
		}
	}
	second.signal(syscall.SIGTERM)
	second.wait()
}

// A watch ends by itself once nobody can read it any more, though nothing
// happens.
func TestWatchEndsWithItsReader(t *testing.T) {
	i := install(t)
	daemon, _ := i.serve()
	i.imported("qwen-oauth")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `"$0" watch --json --since all | head -n 1`, self(t))
	cmd.Env = i.environ()
	var complaints safeBuffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	var e api.Event
	if err != nil || complaints.String() != "" || json.Unmarshal(out, &e) != nil || e.Type != api.EventCredentialStored {
		t.Errorf("watch | head: %v\n%s\n%s", err, out, complaints.String())
	}
	daemon.signal(syscall.SIGTERM)
	daemon.wait()
}

// What is asked for from the event on that a watch has seen is all that follows.
func TestWatchSinceAnEvent(t *testing.T) {
	i := install(t)
	i.serve()
	i.imported("qwen-oauth")
	i.imported("qwen-oauth/work")
	all := i.start("watch", "--json", "--since", "all")
	first, second := all.event(), all.event()
	since := i.start("watch", "--json", "--since", first.ID)
	if e := since.event(); e.ID != second.ID {
		t.Errorf("the first event since %s is %+v, want %s", first.ID, e, second.ID)
	}
	lost := i.start("watch", "--since", "nonsense-1")
	if line, err := lost.lines.ReadString('\n'); err != nil || !strings.Contains(line, "events may be missing before this") {
		t.Errorf("first line since an event that nobody knows: %q, %v", line, err)
	}
}
