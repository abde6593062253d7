package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/e2e/oidcprovider"
	"github.com/usherauth/usher/internal/ptytest"
)

// What an agent leaves with --no-wait outlives all that killed the agent, and what
// killed that as well: whoever waits for the login gets the token, and the
// provider sees one poller all the time.
func TestLeftLoginSurvives(t *testing.T) {
	t.Parallel()
	for _, daemon := range []bool{false, true} {
		t.Run(fmt.Sprintf("daemon %v", daemon), func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			b := h.box("--interval", "1")
			h.must("provider", "add", "here", "--issuer", b.issuer, "--client-id", "agent")
			if daemon {
				h.serve()
			}
			left := h.leaveInATerminal("here")
			seen := len(b.polls())
			b.awaitPolls(seen + 2)

			if daemon {
				if got := h.attendants(); len(got) != 0 {
					t.Errorf("beside the daemon there are %v", got)
				}
				h.crash()
			} else {
				h.killAttendant(left.ID)
			}
			cmd := h.command(binary, "login", "wait", left.ID, "--json")
			waiter := h.start(cmd)
			joined := decode[lineOfLogin](t, waiter.line())
			if joined.Event != "login.joined" || joined.UserCode != left.UserCode {
				t.Errorf("the first line of waiting: %+v", joined)
			}
			b.awaitPolls(len(b.polls()) + 2)
			b.approve(left.UserCode)
			end := decode[lineOfLogin](t, waiter.line())
			waiter.rest()
			if r := waiter.wait(); r.code != exitOK || end.Event != "login.authorized" || end.ID != left.ID {
				t.Errorf("exit %d, the last line: %+v", r.code, end)
			}
			if token := h.token("here"); token == "" {
				t.Error("there is no token")
			}
			if r := b.record(); r.EarlyPolls != 0 || r.DeviceAuthorizations != 1 || r.CodesReused != 0 {
				t.Errorf("the provider saw %+v", r)
			}
			b.wantOnePoller(time.Second)
			h.wantNothingLeft()
		})
	}
}

// An attendant ends with its login, however that ends, and has nothing of the
// process that started it. Asked again, there is one attendant and not two.
func TestAttendantEndsWithItsLogin(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	b, brief := h.box("--interval", "1"), h.box("--interval", "1", "--code-lifetime", "2s")
	h.must("provider", "add", "here", "--issuer", b.issuer, "--client-id", "agent")
	h.must("provider", "add", "brief", "--issuer", brief.issuer, "--client-id", "agent")
	leave := func(key string) lineOfLogin {
		return decode[lineOfLogin](t, h.must("login", key, "--no-wait", "--json"))
	}
	denied, cancelled, approved := leave("here/denied"), leave("here/cancelled"), leave("here/approved")
	if again := leave("here/denied"); again.Event != "login.joined" || again.ID != denied.ID || again.UserCode != denied.UserCode {
		t.Errorf("asked again: %+v", again)
	}
	oidcprovider.Poll(t, "one attendant of each", func() bool { return len(h.attendants()) == 3 })
	for _, pid := range h.attendants() {
		wantDetached(t, pid)
	}
	expiring := leave("brief")
	b.deny(denied.UserCode)
	h.must("login", "cancel", cancelled.ID)
	b.approve(approved.UserCode)
	for id, want := range map[string]int{approved.ID: exitOK, denied.ID: 4, cancelled.ID: 1, expiring.ID: 5} {
		if r := h.usher("login", "wait", id, "--timeout", "60s"); r.code != want {
			t.Errorf("waiting for %s: exit %d, want %d\n%s", id, r.code, want, r.stderr)
		}
	}
	if r := b.record(); r.EarlyPolls != 0 {
		t.Errorf("%d polls came early", r.EarlyPolls)
	}
	h.wantNothingLeft()
	files, err := os.ReadDir(filepath.Join(h.dir, "attendants"))
	if err != nil || len(files) != 1 || files[0].Name() != "lock" {
		t.Errorf("the attendants left %v, %v", files, err)
	}
}

// By method code the attendant goes on listening, beside a daemon too, which does
// not listen.
func TestLeftCodeLogin(t *testing.T) {
	t.Parallel()
	for _, daemon := range []bool{false, true} {
		h := newHome(t)
		b := h.box("--without-device", "--approve", "auto")
		h.must("provider", "add", "here", "--issuer", b.issuer, "--client-id", "native")
		if daemon {
			h.serve()
		}
		left := decode[lineOfLogin](t, h.must("login", "here", "--no-wait", "--json"))
		if left.AuthorizationURI == "" || len(h.attendants()) != 1 {
			t.Fatalf("daemon %v: %+v, attended by %v", daemon, left, h.attendants())
		}
		r, err := http.Get(redirection(t, left.AuthorizationURI).String())
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK || !strings.Contains(string(page), "You are logged in to here.") {
			t.Errorf("daemon %v: the browser got %s, %v\n%s", daemon, r.Status, err, page)
		}
		h.must("login", "wait", "here", "--timeout", "60s")
		if token := h.token("here"); token == "" {
			t.Errorf("daemon %v: there is no token", daemon)
		}
		h.wantNothingLeft()
	}
}

// lineOfLogin is a line of usher login --json, as far as the tests look at it.
type lineOfLogin struct {
	Event            string `json:"event"`
	ID               string `json:"id"`
	Status           string `json:"status"`
	UserCode         string `json:"user_code"`
	AuthorizationURI string `json:"authorization_uri"`
}

// leaveInATerminal starts a login with --no-wait in a shell at a terminal that
// then hangs up; whoever of that session is still there is killed.
func (h *home) leaveInATerminal(key string) lineOfLogin {
	h.t.Helper()
	terminal, program := ptytest.Open(h.t, 80, 24)
	open, inherited, err := os.Pipe()
	if err != nil {
		h.t.Fatal(err)
	}
	printed := filepath.Join(h.base, "printed")
	// It stays, as the shell of an agent does. What hangs up ends it.
	cmd := h.command("sh", "-c", `"$0" login "$1" --no-wait --json >"$2.part" && mv "$2.part" "$2"; sleep 600`, binary, key, printed)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.ExtraFiles = []*os.File{inherited}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	program.Close()
	inherited.Close()
	oidcprovider.Poll(h.t, "the login is left", func() bool { _, err := os.Stat(printed); return err == nil })
	terminal.Close()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // gone already, as a rule
	_ = cmd.Wait()                                      // by a signal
	closed := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, open)
		closed <- err
	}()
	select {
	case err := <-closed:
		if err != nil {
			h.t.Error(err)
		}
	case <-time.After(30 * time.Second):
		h.t.Error("what was left keeps a file of the process that left it")
	}
	open.Close()
	text, err := os.ReadFile(printed)
	if err != nil {
		h.t.Fatal(err)
	}
	return decode[lineOfLogin](h.t, string(text))
}

// polls are when the provider was polled, oldest first.
func (b *box) polls() (times []time.Time) {
	b.t.Helper()
	r, err := http.Get(b.issuer + "/_sandbox/record")
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close()
	var record struct {
		Requests []struct {
			Endpoint string    `json:"endpoint"`
			Time     time.Time `json:"time"`
		} `json:"requests"`
	}
	if err := json.NewDecoder(r.Body).Decode(&record); err != nil {
		b.t.Fatal(err)
	}
	for _, r := range record.Requests {
		if r.Endpoint == "token.device" {
			times = append(times, r.Time)
		}
	}
	return times
}

func (b *box) awaitPolls(n int) {
	b.t.Helper()
	oidcprovider.Poll(b.t, "the provider is polled", func() bool { return len(b.polls()) >= n })
}

// wantOnePoller wants no two polls to be closer than the interval, as those of two
// pollers would be.
func (b *box) wantOnePoller(interval time.Duration) {
	b.t.Helper()
	polls := b.polls()
	for i := 1; i < len(polls); i++ {
		// Times are those of the wall, which may be corrected.
		if gap := polls[i].Sub(polls[i-1]); gap < interval-50*time.Millisecond {
			b.t.Errorf("poll %d came %s after the one before", i+1, gap)
		}
	}
}
