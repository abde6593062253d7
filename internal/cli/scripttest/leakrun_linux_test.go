package scripttest

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/usherauth/usher/sandbox"
)

// run does all of it and collects the evidence.
func (l *leakTest) run() {
	l.t.Helper()
	if l.mode == daemon {
		l.serve()
	}
	l.usher(0, "provider", "add", "box", "--issuer", l.box.sandbox.Issuer(), "--client-id", "desk",
		"--client-secret-file", filepath.Join(l.base, "client-secret"), "--auth-style", l.style())
	l.usher(0, "provider", "show", "box")
	l.usher(0, "provider", "list", "--json")

	l.login("box", "--json")
	l.checkStored()
	l.usher(0, "status")
	l.usher(0, "status", "--json")
	l.usher(0, "token", "box")
	l.expire()
	l.usher(0, "token", "box", "--json")
	l.troubles()
	l.usher(1, "logout", "box", "--json")
	l.plan("")
	l.login("box")
	l.usher(0, "token", "box")
	if l.mode == daemon {
		l.ask()
	}
	l.usher(0, "logout", "box")
	l.usher(3, "token", "box")

	if l.mode == daemon {
		if err := l.daemon.signal(syscall.SIGTERM); err != nil {
			l.t.Fatal(err)
		}
		l.finish("serve", l.daemon, 0)
	}
	l.watched.Wait()
	l.addFiles(l.t, l.base, "data/credentials", "data/logins", "client-secret", "data/server-token", "data/alias-key")
}

func (l *leakTest) style() string {
	if l.mode == daemon {
		return "basic"
	}
	return "post"
}

// start starts usher at full debug.
func (l *leakTest) start(args ...string) *process {
	l.t.Helper()
	p, err := start(l.binary, filepath.Join(l.base, "work"), environment(
		"HOME="+l.base, "TMPDIR="+filepath.Join(l.base, "tmp"), "USHER_DEBUG=1",
		"USHER_HOME="+l.home(), "USHER_CONFIG="+filepath.Join(l.base, "config.toml")), args...)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(p.kill)
	l.watched.Go(func() { l.watch(args[0], p) })
	return p
}

// usher runs a command to its end.
func (l *leakTest) usher(code int, args ...string) {
	l.t.Helper()
	l.finish(strings.Join(args, " "), l.start(args...), code)
}

// finish waits for p and keeps what it said.
func (l *leakTest) finish(name string, p *process, want int) {
	l.t.Helper()
	got, err := p.wait()
	if err != nil {
		l.t.Fatal(err)
	}
	if got != want {
		l.t.Fatalf("usher %s: got exit code %d, want %d\nstdout: %s\nstderr: %s", name, got, want, &p.stdout, &p.stderr)
	}
	l.add("stderr of "+name, p.stderr.String())
	if p.args[0] == "token" {
		l.tokens += p.stdout.String()
	} else {
		l.add("stdout of "+name, p.stdout.String())
	}
}

func (l *leakTest) login(args ...string) {
	l.t.Helper()
	p := l.start(append([]string{"login"}, args...)...)
	code := ""
	if !eventually(func() bool {
		code = userCode.FindString(p.stdout.String() + p.stderr.String())
		return code != "" || p.ended()
	}) || code == "" {
		l.t.Fatalf("no user code was printed\nstdout: %s\nstderr: %s", &p.stdout, &p.stderr)
	}
	if err := l.box.sandbox.Approve(code, ""); err != nil {
		l.t.Fatal(err)
	}
	l.finish("login "+strings.Join(args, " "), p, 0)
}

// expire waits until the token of the last login or refresh has ended.
func (l *leakTest) expire() {
	l.t.Helper()
	for end := time.Now().Add(4 * time.Second); !time.Now().After(end); {
		if !eventually(func() bool { return time.Now().After(end) }) {
			l.t.Fatal("the clock stands")
		}
	}
}

// troubles are answers of the provider with secrets where none belong. Nothing
// of them may be told but an error code, which is a word of the protocol. The last one is for the logout.
func (l *leakTest) troubles() {
	l.t.Helper()
	l.expire()
	for _, do := range []string{
		`{"status": 400, "body": "{\"error\": \"invalid_client\", \"error_description\": \"CANARY\", \"error_uri\": \"https://CANARY.example\"}"}`,
		`{"status": 400, "body": "{\"error\": \"no code CANARY\"}"}`,
		`{"status": 200, "body": "{\"access_token\": \"at_CANARY\", \"refresh_token\": \"rt_CANARY\", ", "content_type": "application/json"}`,
		`{"status": 200, "body": "{\"access_token\": [\"at_CANARY\"], \"token_type\": {\"CANARY\": 1}}"}`,
		`{"status": 500, "body": "<html>CANARY</html>", "content_type": "text/html; x=CANARY"}`,
		`{"redirect": {"status": 307, "location": "https://elsewhere.example/?t=CANARY"}}`,
	} {
		l.plan("token.refresh", do)
		// A daemon pauses after some of them before it asks again.
		before := l.box.numbers()["token.refresh"]
		if !eventually(func() bool {
			l.fails("token", "box")
			return l.box.numbers()["token.refresh"] > before
		}) {
			l.t.Fatalf("the provider was not asked for %s", do)
		}
		l.usher(0, "status", "box")
	}
	l.plan("token.device", `{"status": 400, "body": "{\"error\": \"server_mood\", \"error_description\": \"CANARY\"}"}`)
	l.fails("login", "box/other")
	l.plan("revoke", `{"status": 400, "body": "{\"error\": \"invalid_client\", \"error_description\": \"CANARY\"}"}`)
}

// fails runs a command that must fail, in whatever way.
func (l *leakTest) fails(args ...string) {
	l.t.Helper()
	p := l.start(args...)
	code, err := p.wait()
	if err != nil {
		l.t.Fatal(err)
	}
	if code == 0 {
		l.t.Fatalf("usher %v: got exit code 0", args)
	}
	l.finish(strings.Join(args, " "), p, code)
}

// plan installs a fault at an endpoint; without one the sandbox is honest.
func (l *leakTest) plan(endpoint string, do ...string) {
	l.t.Helper()
	text := "[]"
	if endpoint != "" {
		text = fmt.Sprintf(`[{"endpoint": %q, "do": %s}]`, endpoint, strings.ReplaceAll(do[0], "CANARY", l.canary))
	}
	faults, err := sandbox.ParseFaults([]byte(text))
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.box.sandbox.SetFaults(faults); err != nil {
		l.t.Fatal(err)
	}
}

// serve starts the daemon and follows its events.
func (l *leakTest) serve() {
	l.t.Helper()
	l.daemon = l.start("serve", "--listen", "127.0.0.1:0", "--on-demand")
	if !eventually(func() bool { return l.daemon.ended() || listening.MatchString(l.daemon.stderr.String()) }) || l.daemon.ended() {
		l.t.Fatalf("the daemon did not start: %s", &l.daemon.stderr)
	}
	l.address = listening.FindStringSubmatch(l.daemon.stderr.String())[1]
	token, err := os.ReadFile(filepath.Join(l.home(), "server-token"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.bearer = strings.TrimSpace(string(token))
	stream := l.request("GET", "/v1/events", "")
	l.watched.Go(func() {
		defer stream.Body.Close()
		events, _ := io.ReadAll(stream.Body) // it ends with the daemon
		l.add("the event stream", string(events))
	})
}

// request makes a request to the daemon with its token.
func (l *leakTest) request(method, path, body string) *http.Response {
	l.t.Helper()
	r, err := http.NewRequest(method, l.address+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+l.bearer)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	return res
}

// ask asks the daemon for everything, and for things that are wrong.
func (l *leakTest) ask() {
	l.t.Helper()
	for _, r := range []struct{ method, path, body string }{
		{"GET", "/health", ""},
		{"GET", "/capabilities", ""},
		{"GET", "/v1/credentials", ""},
		{"GET", "/v1/credentials/box/default", ""},
		{"GET", "/v1/credentials/box/none", ""},
		{"GET", "/v1/logins", ""},
		{"GET", "/v1/providers", ""},
		{"GET", "/workspace/auth/status", ""},
		{"POST", "/workspace/auth/device-flow", `{"providerId": "box"}`},
		{"POST", "/v1/token", `{"key": "box/none"}`},
		{"POST", "/v1/token", `{"key": "box", "token": "` + l.canary + `"}`},
		{"GET", "/v1/nothing?access_token=" + url.QueryEscape(l.canary), ""},
		{"POST", "/v1/logins", `{"key": "` + l.canary},
	} {
		res := l.request(r.method, r.path, r.body)
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			l.t.Fatal(err)
		}
		if r.path == "/v1/token" && res.StatusCode == http.StatusOK {
			l.tokens += string(body)
			continue
		}
		l.add(fmt.Sprintf("the answer to %s %s", r.method, r.path), fmt.Sprint(res.Header)+string(body))
	}
	res := l.request("POST", "/v1/token", `{"key": "box"}`)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		l.t.Fatalf("POST /v1/token: got %s, %v", res.Status, err)
	}
	l.tokens += string(body)
}
