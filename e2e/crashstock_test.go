package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// A stock is many logins at one sandbox, each in a data folder of its own and at
// a client of its own, by which the sandbox's record tells them apart. A login's
// key is that client's id: c0, c1 and so on.
type stock struct {
	*home
	box  *box
	keys []string
}

// newStock returns n logins whose access tokens have expired.
func newStock(t *testing.T, n int, flags ...string) *stock {
	t.Helper()
	return stockAt(newHome(t), n, flags...)
}

// stockAt is newStock with the data folders in that of h.
func stockAt(h *home, n int, flags ...string) *stock {
	h.t.Helper()
	s := &stock{home: h, box: h.box(append([]string{"--interval", "1", "--token-lifetime", crashLife.String()}, flags...)...)}
	s.provide(n)
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.each(30, func(key string) { s.logIn(key) }) // they wait
	if s.t.Failed() {
		s.t.FailNow()
	}
	s.expire()
	return s
}

// data is the data folder of a key, and folder the one in it that has everything
// about the credential.
func (s *stock) data(key string) string { return filepath.Join(s.dir, key) }

func (s *stock) folder(key string) string {
	s.t.Helper()
	found, err := filepath.Glob(filepath.Join(s.data(key), "credentials", "*[0-9a-f]"))
	if err != nil || len(found) != 1 {
		s.t.Fatalf("folders of credentials: %q, %v", found, err)
	}
	return found[0]
}

// command is a command line in the data folder of a key.
func (s *stock) command(key, program string, args ...string) *exec.Cmd {
	cmd := s.home.command(program, args...)
	cmd.Env = append(cmd.Env, "USHER_HOME="+s.data(key))
	cmd.Env = cmd.Environ() // each name once
	return cmd
}

// token is the command that refreshes a key.
func (s *stock) token(key string) *exec.Cmd { return s.command(key, binary, "token", key) }

// logIn logs in, instead of a login that there is.
func (s *stock) logIn(key string, flags ...string) {
	cmd := s.command(key, binary, append([]string{"login", key, "--qr=never", "--json"}, flags...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Error(err)
		return
	}
	bound := time.AfterFunc(commandBound, func() { cmd.Process.Kill() })
	defer bound.Stop()
	lines := bufio.NewScanner(out)
	var pending loginView
	if lines.Scan() && json.Unmarshal(lines.Bytes(), &pending) == nil && pending.UserCode != "" {
		s.box.approve(pending.UserCode)
	}
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		s.t.Errorf("logging in to %s: %v\n%s", key, err, stderr.String())
	}
}

// provide configures a provider for each login: the sandbox, with a client.
func (s *stock) provide(n int) {
	s.t.Helper()
	dir := filepath.Join(s.base, "providers")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	for i := range n {
		key := fmt.Sprintf("c%d", i)
		text := fmt.Sprintf("issuer = '%s'\nclient_id = '%s'\nscopes = ['offline_access']\n", s.box.issuer, key)
		if err := os.WriteFile(filepath.Join(dir, key+".toml"), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
		s.keys = append(s.keys, key)
	}
}

// each does something with each key, so many at a time.
func (s *stock) each(width int, do func(key string)) {
	var all sync.WaitGroup
	turns := make(chan struct{}, width)
	for _, key := range s.keys {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			do(key)
		})
	}
	all.Wait()
}

// commandBound is when a command that hangs is killed.
const commandBound = 100 * time.Second

// expire waits until no access token issued before is good any more.
func (s *stock) expire() { time.Sleep(crashLife) }

// An ending is how a command ended.
type ending struct {
	stdout, stderr string
	code           int
	signal         syscall.Signal // 0 if it ended by itself
}

func (e ending) String() string {
	return fmt.Sprintf("exit %d, %v, stdout %q, stderr %q", e.code, e.signal, e.stdout, e.stderr)
}

// run runs a command to its end.
func (s *stock) run(cmd *exec.Cmd) ending {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return ending{code: -1, stderr: err.Error()}
	}
	bound := time.AfterFunc(commandBound, func() { cmd.Process.Kill() })
	defer bound.Stop()
	cmd.Wait()
	return ended(stdout.String(), stderr.String(), cmd.ProcessState.Sys().(syscall.WaitStatus))
}

func ended(stdout, stderr string, status syscall.WaitStatus) ending {
	e := ending{stdout: stdout, stderr: stderr, code: status.ExitStatus()}
	if status.Signaled() {
		e.signal = status.Signal()
	}
	return e
}

// stored reads the credential of a key as any reader does. That it can be read
// is what every crash must leave.
func (s *stock) stored(key string) (credentialView, error) {
	e := s.run(s.command(key, binary, "status", key, "--json"))
	var view credentialView
	line, _, _ := strings.Cut(e.stdout, "\n")
	err := json.Unmarshal([]byte(line), &view)
	if err != nil || e.code != exitOK && e.code != exitLoginNeeded || view.Key != key {
		return view, fmt.Errorf("status %s: %v", key, e)
	}
	return view, nil
}

// renewed asks for a token after a crash. It is lost if only a login helps.
func (s *stock) renewed(key string) (token string, lost bool, err error) {
	e := s.run(s.token(key))
	token = strings.TrimSuffix(e.stdout, "\n")
	switch {
	case e.code == exitOK && token != "" && !strings.ContainsAny(token, " \n"):
		return token, false, nil
	case e.code == exitLoginNeeded && token == "" && strings.Contains(e.stderr, "usher login "+key):
		return "", true, nil
	}
	return "", false, fmt.Errorf("token %s: %v", key, e)
}

// A refreshRequest is a refresh of the sandbox's record.
type refreshRequest struct {
	Endpoint string
	ClientID string `json:"client_id"`
	Outcome  string
	Reuse    bool
}

// refreshes are the refresh requests of each client, in the order of arrival,
// and the access tokens that the sandbox issued.
func (b *box) refreshes() (byClient map[string][]refreshRequest, issued map[string]bool) {
	b.t.Helper()
	resp, err := http.Get(b.issuer + "/_sandbox/record?secrets=1")
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	var record struct {
		Requests  []refreshRequest
		Secrets   []struct{ Kind, Value string }
		Forgotten int
	}
	if err := json.NewDecoder(resp.Body).Decode(&record); err != nil || record.Forgotten > 0 {
		b.t.Fatalf("the sandbox's record: %v, %d forgotten", err, record.Forgotten)
	}
	byClient, issued = make(map[string][]refreshRequest), make(map[string]bool)
	for _, r := range record.Requests {
		if r.Endpoint == "token.refresh" {
			byClient[r.ClientID] = append(byClient[r.ClientID], r)
		}
	}
	for _, s := range record.Secrets {
		issued[s.Value] = s.Kind == "access_token"
	}
	return byClient, issued
}

// swept checks that no file is left which a writer had begun: each holds a
// secret.
func (s *stock) swept() {
	s.t.Helper()
	for _, where := range []string{"*", "*/spill"} {
		left, err := filepath.Glob(filepath.Join(s.data("*"), "credentials", where, ".*.tmp"))
		if err != nil || len(left) > 0 {
			s.t.Errorf("files of killed writers: %q, %v", left, err)
		}
	}
}

// goesOn checks that a login works on: at the next expiry there is another token,
// for one more request, and at no time was a spent token sent.
func (s *stock) goesOn(key, token string) {
	s.t.Helper()
	before, _ := s.box.refreshes()
	s.expire()
	next, lost, err := s.renewed(key)
	requests, issued := s.box.refreshes()
	if err != nil || lost || next == token || !issued[next] {
		s.t.Errorf("at the next expiry: lost: %t, the same token: %t, issued: %t, %v", lost, next == token, issued[next], err)
	}
	if n := len(requests[key]) - len(before[key]); n != 1 {
		s.t.Errorf("%d requests at the next expiry", n)
	}
	for i, r := range requests[key] {
		if r.Reuse {
			s.t.Errorf("request %d presented a spent token", i+1)
		}
	}
}

// begin lets a refresh run on its own.
func (s *stock) begin(key string) (*exec.Cmd, <-chan ending) {
	s.t.Helper()
	cmd := s.token(key)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan ending, 1)
	bound := time.AfterFunc(commandBound, func() { cmd.Process.Kill() })
	go func() {
		cmd.Wait()
		bound.Stop()
		done <- ended(stdout.String(), stderr.String(), cmd.ProcessState.Sys().(syscall.WaitStatus))
	}()
	return cmd, done
}

// requested waits for the refresh request.
func (s *stock) requested() {
	s.t.Helper()
	oidcprovider.Poll(s.t, "the refresh request", func() bool { return s.box.arrived("token.refresh") > 0 })
}
