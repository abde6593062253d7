package token_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/token"
)

// childEnv, naming a store's folder, makes the test binary a reader of it.
const childEnv = "USHER_TOKEN_TEST_STORE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := child(dir); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// shifted is the system clock, some time later.
type shifted struct {
	token.Clock
	by atomic.Int64 // nanoseconds
}

func (s *shifted) Now() credential.Instant {
	now := s.Clock.Now()
	by := time.Duration(s.by.Load())
	now.Wall, now.Boot = now.Wall.Add(by), now.Boot+by
	return now
}

// child answers each line of standard input, the seconds by which its clock is
// ahead and the life asked for, with an access token.
func child(dir string) error {
	store, err := filestore.Open(dir)
	if err != nil {
		return err
	}
	clock := &shifted{Clock: token.SystemClock()}
	m := token.NewManager(token.Config{Store: store, Clock: clock})
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var ahead, minTTL int
		if _, err := fmt.Sscan(in.Text(), &ahead, &minTTL); err != nil {
			return err
		}
		clock.by.Store(int64(time.Duration(ahead) * time.Second))
		t, err := m.Token(context.Background(), key, time.Duration(minTTL)*time.Second)
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		fmt.Println(t.AccessToken.Reveal())
	}
	return m.Close(context.Background())
}

// reader is a child process.
type reader struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startReader(t *testing.T, dir string) *reader {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &reader{cmd, in, bufio.NewReader(out)}
}

func (r *reader) ask(ahead, minTTL time.Duration) error {
	_, err := fmt.Fprintln(r.in, int(ahead/time.Second), int(minTTL/time.Second))
	return err
}

func (r *reader) answer() string {
	line, err := r.out.ReadString('\n')
	if err != nil {
		return "error: " + err.Error()
	}
	return strings.TrimSpace(line)
}

// newShared logs in at a real server, in a store of files; the credential is of
// the age given.
func newShared(t *testing.T, age time.Duration) (dir string, p *provider) {
	t.Helper()
	dir, p = t.TempDir(), newProvider(time.Hour)
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	store, err := filestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	received := token.SystemClock().Now()
	received.Wall, received.Boot = received.Wall.Add(-age), received.Boot-age
	seed(t, store, credential.Credential{
		Key: key, Kind: credential.Refreshable, State: credential.Active,
		Binding: credential.Binding{
			Endpoints: oauth.Endpoints{Token: server.URL + "/token", Revocation: server.URL + "/revoke"},
			ClientID:  "client", AuthStyle: oauth.AuthNone, Dialect: oauth.DialectStandard,
		},
		AccessToken: hide("at-1"), RefreshToken: hide("rt-1"), TokenType: "Bearer",
		Received: received, Lifetime: time.Hour,
	})
	return dir, p
}

// R1: many processes find the token ended at the same moment, several times
// over, at a server that punishes a second use. Each time one of them refreshes.
func TestManyProcessesOneRefresh(t *testing.T) {
	const processes, expiries = 16, 5
	dir, p := newShared(t, 0)
	var readers []*reader
	for range processes {
		readers = append(readers, startReader(t, dir))
	}
	for expiry := range expiries + 1 {
		want := fmt.Sprintf("at-%d", expiry+1)
		for _, r := range readers {
			if err := r.ask(time.Duration(expiry)*time.Hour, 0); err != nil {
				t.Fatal(err)
			}
		}
		for n, r := range readers {
			if got := r.answer(); got != want {
				t.Errorf("expiry %d: process %d read %q, want %s", expiry, n, got, want)
			}
		}
	}
	if got := len(p.seen()); got != expiries {
		t.Errorf("%d refreshes for %d expiries: %v", got, expiries, p.seen())
	}
	if p.reuse != 0 || p.overlap != 1 {
		t.Errorf("reuse %d, overlap %d, want 0, 1", p.reuse, p.overlap)
	}
}

// A process that is killed in the middle of a refresh frees the lock, and who
// comes next asks again with the same token.
func TestKilledDuringRefresh(t *testing.T) {
	dir, p := newShared(t, 2*time.Hour)
	arrived := make(chan struct{})
	var once sync.Once
	p.script[1] = func(_ http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) {
		once.Do(func() { close(arrived) })
		<-r.Context().Done()
	}
	victim := startReader(t, dir)
	if err := victim.ask(0, 0); err != nil {
		t.Fatal(err)
	}
	select {
	case <-arrived:
	case <-time.After(30 * time.Second):
		t.Fatal("no refresh arrived")
	}
	if err := victim.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	next := startReader(t, dir)
	if err := next.ask(0, 0); err != nil {
		t.Fatal(err)
	}
	if got := next.answer(); got != "at-2" {
		t.Errorf("next process read %q, want at-2", got)
	}
	if got := fmt.Sprint(p.seen()); got != "[rt-1 rt-1]" {
		t.Errorf("refresh tokens sent = %s, want rt-1 twice", got)
	}
	store, err := filestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c, err := store.Get(t.Context(), key)
	if err != nil || c.HoldOffUntil.IsZero() {
		t.Errorf("stored hold-off = %v, %v, want one", c.HoldOffUntil, err)
	}
}

// What another process changes shows in a running manager by itself.
func TestChangeByAnotherProcess(t *testing.T) {
	dir, _ := newShared(t, 10*time.Minute)
	store, err := filestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	m := token.NewManager(token.Config{Store: store})
	defer m.Close(context.Background())
	read := func() string {
		got, err := m.Token(t.Context(), key, 0)
		if err != nil {
			return "error"
		}
		return got.AccessToken.Reveal()
	}
	becomes := func(want string) {
		t.Helper()
		start := time.Now()
		for read() != want {
			// The promise is 1 s; a loaded machine gets more.
			if time.Since(start) > 10*time.Second {
				t.Fatalf("Token = %s, want %s by now", read(), want)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	becomes("at-1")
	other := startReader(t, dir)
	if err := other.ask(0, 55*time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := other.answer(); got != "at-2" {
		t.Fatalf("other process read %q, want at-2", got)
	}
	becomes("at-2")
	elsewhere, err := filestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	if err := elsewhere.Delete(t.Context(), key, 2); err != nil {
		t.Fatal(err)
	}
	becomes("error")
}
