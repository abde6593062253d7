//go:build unix

package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A manager plays systemd for one service: it opens the sockets, hands them to
// each daemon it starts, and hears what the daemon tells.
type manager struct {
	*installation
	url    string // of the TCP socket
	socket string // path of the unix socket
	fds    []*os.File
	told   *net.UnixConn
	env    []string
}

func (i *installation) manager() *manager {
	i.t.Helper()
	return i.managerOf("127.0.0.1:0", filepath.Join(filepath.Dir(i.dir), "handed.sock"))
}

// managerOf opens the sockets at the addresses, as ListenStream= has them.
func (i *installation) managerOf(addresses ...string) *manager {
	i.t.Helper()
	m := &manager{installation: i}
	for _, address := range addresses {
		network := "tcp"
		if filepath.IsAbs(address) {
			network = "unix"
		}
		l, err := net.Listen(network, address)
		if err != nil {
			i.t.Fatal(err)
		}
		if local, ok := l.(*net.UnixListener); ok {
			local.SetUnlinkOnClose(false)
			m.socket = address
		} else {
			m.url = "http://" + l.Addr().String()
		}
		file, err := l.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			i.t.Fatal(err)
		}
		// The daemons and this copy share the socket; it stays open all along.
		_ = l.Close()
		i.t.Cleanup(func() { _ = file.Close() })
		m.fds = append(m.fds, file)
	}
	// Short, because a socket's path is bounded.
	dir, err := os.MkdirTemp("", "un")
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	notify := filepath.Join(dir, "notify")
	if m.told, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"}); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { _ = m.told.Close() })
	m.env = []string{"NOTIFY_SOCKET=" + notify}
	return m
}

// serve starts a daemon as systemd does.
func (m *manager) serve(args ...string) (*process, daemonFile) {
	m.t.Helper()
	p := m.startDaemon(append([]string{"--json"}, args...)...)
	var f daemonFile
	p.line(&f)
	return p, f
}

func (m *manager) startDaemon(args ...string) *process {
	m.t.Helper()
	// The variable names the process that the sockets are for.
	script := fmt.Sprintf(`LISTEN_PID=$$ LISTEN_FDS=%d WATCHDOG_PID=$$ exec "$0" serve "$@"`, len(m.fds))
	cmd := exec.Command("sh", append([]string{"-c", script, self(m.t)}, args...)...)
	cmd.ExtraFiles = m.fds
	cmd.Env = m.env
	return m.launch(cmd)
}

// hears waits for a message that matches pattern, past those that match but.
func (m *manager) hears(pattern, but string) {
	m.t.Helper()
	if err := m.told.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		m.t.Fatal(err)
	}
	for {
		message := make([]byte, 4096)
		n, err := m.told.Read(message)
		if err != nil {
			m.t.Fatalf("waiting for %s: %v", pattern, err)
		}
		text := string(message[:n])
		if regexp.MustCompile(pattern).MatchString(text) {
			return
		}
		if !regexp.MustCompile(but).MatchString(text) {
			m.t.Fatalf("told %q, want %s", text, pattern)
		}
	}
}

func TestSocketsThatAreHandedIn(t *testing.T) {
	t.Parallel()
	m := install(t).manager()
	p, f := m.serve()
	want := daemonFile{Version: f.Version, Socket: m.socket, Listen: m.url, Config: m.installation.env["USHER_CONFIG"]}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("daemon.json (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(m.dir, "daemon.sock")); !os.IsNotExist(err) {
		t.Errorf("a socket of its own: %v", err)
	}
	if got := get(t, m.url+"/v1/credentials", ""); got != http.StatusUnauthorized {
		t.Errorf("TCP without a bearer: status %d", got)
	}
	if resp, err := overSocket(m.socket).Get("http://usher/v1/credentials"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the owner: %v, %v", resp, err)
	}
	// The commands find it, or they would be at odds about the configuration.
	m.installation.env["USHER_CONFIG"] += ".other"
	if r := m.run("status"); r.code != 2 || !strings.Contains(r.err, "the daemon works with") {
		t.Errorf("status: exit %d, %s", r.code, r.err)
	}
	p.signal(syscall.SIGTERM)
	if code, _ := p.wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if _, err := os.Stat(m.socket); err != nil {
		t.Errorf("the socket that was handed in: %v", err)
	}
}

func TestSocketsThatCannotBeTaken(t *testing.T) {
	t.Parallel()
	m := install(t).manager()
	p := m.startDaemon("--listen", "127.0.0.1:0")
	if code, _ := p.wait(); code != 2 || !strings.Contains(p.err.String(), "leave --listen out") {
		t.Errorf("with --listen: exit %d", code)
	}
	open, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	file, err := open.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	own := m.fds
	m.fds = append(own, file)
	p = m.startDaemon("--no-auth")
	if code, _ := p.wait(); code != 2 || !strings.Contains(p.err.String(), "loopback address only") {
		t.Errorf("open to others, without a token: exit %d", code)
	}
	datagrams, err := m.told.File()
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	m.fds = append(own, datagrams)
	p = m.startDaemon()
	if code, _ := p.wait(); code != 1 || !strings.Contains(p.err.String(), "sockets that systemd hands in") {
		t.Errorf("datagrams: exit %d", code)
	}
}

// One kind is handed in; the daemon opens the other one.
func TestOneSocketThatIsHandedIn(t *testing.T) {
	t.Parallel()
	m := install(t).manager()
	m.fds = m.fds[:1]
	_, f := m.serve()
	if f.Listen != m.url || f.Socket != filepath.Join(m.dir, "daemon.sock") {
		t.Errorf("TCP handed in: %+v", f)
	}
	other := install(t).manager()
	other.fds = other.fds[1:]
	_, f = other.serve("--listen", "127.0.0.1:0")
	if f.Socket != other.socket || f.Listen == other.url {
		t.Errorf("a unix socket handed in: %+v", f)
	}
}

func TestWhatSystemdIsTold(t *testing.T) {
	t.Parallel()
	m := install(t).manager()
	m.env = append(m.env, "WATCHDOG_USEC=200000")
	p, _ := m.serve()
	const alive = `^WATCHDOG=1$`
	m.hears(`^READY=1\nSTATUS=listening on http://127`, alive)
	m.hears(alive, alive)
	p.signal(syscall.SIGHUP)
	m.hears(`^RELOADING=1\n(MONOTONIC_USEC=[0-9]+\n)?$`, alive)
	m.hears(`^READY=1$`, alive)
	m.hears(alive, alive)
	p.signal(syscall.SIGTERM)
	m.hears(`^STOPPING=1\nSTATUS=stopping$`, alive)
	if code, _ := p.wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if strings.Contains(p.err.String(), "systemd") {
		t.Errorf("said %s", p.err.String())
	}
}

// A service manager that is not there any more is no trouble.
func TestSystemdThatDoesNotListen(t *testing.T) {
	t.Parallel()
	m := install(t).manager()
	_ = m.told.Close()
	p, _ := m.serve()
	p.signal(syscall.SIGTERM)
	if code, _ := p.wait(); code != 0 || !strings.Contains(p.err.String(), "telling systemd") {
		t.Errorf("exit %d", code)
	}
}

func overSocket(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
}

// Daemons come and go while clients connect all the time: nobody is refused,
// and everybody gets an answer, of this daemon or of the next.
func TestUpgradeLosesNoConnection(t *testing.T) {
	t.Parallel()
	m := install(t).manager()
	const token = "upgrade-test-token"
	m.env = append(m.env, "USHER_SERVER_TOKEN="+token)
	p, _ := m.serve()

	var answered atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	ask := func(client *http.Client, url string) {
		for {
			select {
			case <-stop:
				return
			default:
			}
			req, err := http.NewRequest(http.MethodGet, url, nil)
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := client.Do(req)
			if err != nil {
				t.Errorf("%s: %v", url, err)
				return
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %s, %v, %s", url, resp.Status, err, body)
			}
			answered.Add(1)
		}
	}
	tcp := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, path := range []string{"/health", "/workspace/auth/status", "/v1/credentials", "/v1/logins"} {
		clients.Go(func() { ask(tcp, m.url+path) })
		clients.Go(func() { ask(overSocket(m.socket), "http://usher"+path) })
	}
	for range 5 {
		before := answered.Load()
		eventually(t, "the daemon answers", func() bool { return answered.Load() > before+100 })
		p.signal(syscall.SIGTERM)
		if code, _ := p.wait(); code != 0 {
			t.Errorf("exit %d", code)
		}
		p, _ = m.serve()
	}
	close(stop)
	clients.Wait()
	t.Logf("%d answers", answered.Load())
}
