//go:build unix

package cli

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/sandbox"
)

// A daemon that is asked to stop while a refresh is on its way waits for it,
// says so, and is not hurried by further signals; and whoever waits for the
// token gets it.
func TestStopWaitsForARefresh(t *testing.T) {
	t.Parallel()
	i := install(t)
	cfg := auto
	cfg.TokenLifetime = time.Second
	cfg.Faults = sandbox.Faults{{Endpoint: "token.refresh", Calls: []int{1}, Do: sandbox.Action{AnswerDelayMS: 4000}}}
	s := i.sandbox(cfg)
	daemon, _ := i.serve()
	i.must("login", "here")
	eventually(t, "the token expires", func() bool {
		out := i.run("status").out
		return strings.Contains(out, " ago") && !strings.Contains(out, " 0 s ago")
	})
	p := i.start("token", "here")
	eventually(t, "the refresh arrives", func() bool { return s.Record().RefreshRequests == 1 })
	daemon.signal(syscall.SIGTERM)
	eventually(t, "it says why it takes long", func() bool { return strings.Contains(daemon.err.String(), "on its way") })
	for _, again := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		before := strings.Count(daemon.err.String(), "is stopping already")
		daemon.signal(again)
		eventually(t, "it answers "+again.String(), func() bool {
			return strings.Count(daemon.err.String(), "is stopping already") > before
		})
	}
	if code, _ := daemon.wait(); code != 0 {
		t.Errorf("daemon: exit %d", code)
	}
	if code, out := p.wait(); code != 0 || !strings.HasPrefix(out, "at_") {
		t.Errorf("token: exit %d, %q", code, out)
	}
	if r := s.Record(); r.ReuseSeen != 0 || r.RefreshRequests != 1 {
		t.Errorf("%d refreshes, %d times with a spent token", r.RefreshRequests, r.ReuseSeen)
	}
}

// The provider has said yes, and its answer is on its way when the daemon is
// asked to stop: the token is not lost.
func TestStopLosesNoLogin(t *testing.T) {
	t.Parallel()
	i := install(t)
	cfg := auto
	cfg.Faults = sandbox.Faults{{Endpoint: "token.device", Calls: []int{1}, Do: sandbox.Action{AnswerDelayMS: 3000}}}
	s := i.sandbox(cfg)
	daemon, f := i.serve()
	if err := i.asker(f).do("POST", "/v1/logins", `{"key":"here"}`, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the poll arrives", func() bool { return s.Record().Count("token.device") == 1 })
	daemon.signal(syscall.SIGTERM)
	if code, _ := daemon.wait(); code != 0 {
		t.Errorf("daemon: exit %d", code)
	}
	if out := i.must("token", "here"); !strings.HasPrefix(out, "at_") {
		t.Errorf("token: %q", out)
	}
	if r := s.Record(); r.DeviceAuthorizations != 1 {
		t.Errorf("%d logins were started", r.DeviceAuthorizations)
	}
}

// With nothing on its way it ends at once, however many follow along.
func TestStopIsQuick(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.sandbox(sandbox.Config{})
	daemon, f := i.serve()
	ask := i.asker(f)
	if err := ask.do("POST", "/v1/logins", `{"key":"here"}`, nil); err != nil {
		t.Fatal(err)
	}
	following := make(chan error, 3)
	for _, path := range []string{"/v1/events", "/v1/events"} {
		go func() { following <- ask.do("GET", path, "", new(any)) }() // reads until the stream ends
	}
	began := time.Now()
	daemon.signal(syscall.SIGTERM)
	if code, _ := daemon.wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	for range 2 {
		<-following
	}
	if left := i.pending(); len(left) != 1 {
		t.Errorf("pending logins: %+v, want the one that was", left)
	}
}

// Whoever is impatient is told what is true: while a client that has connected
// is waited for, no answer of a provider is.
func TestStopTellsTheImpatientTheTruth(t *testing.T) {
	t.Parallel()
	i := install(t)
	daemon, f := i.serve()
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.Listen, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := get(t, f.Listen+"/health", ""); got != 200 { // connections are accepted in turn
		t.Fatalf("health: status %d", got)
	}
	daemon.signal(syscall.SIGTERM)
	eventually(t, "it answers the second signal", func() bool {
		_ = daemon.cmd.Process.Signal(syscall.SIGTERM)
		return strings.Contains(daemon.err.String(), "is stopping already")
	})
	code, _ := daemon.wait()
	said := daemon.err.String()
	if code != 0 || strings.Contains(said, "on its way") || !strings.HasSuffix(said, "\nusher daemon stopped\n") {
		t.Errorf("exit %d, said:\n%s", code, said)
	}
}
