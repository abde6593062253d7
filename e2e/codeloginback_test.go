package e2e

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestCodeLoginComesBack logs in without a daemon: the command listens itself, and
// takes the answer at either address of loopback, after all that is none.
func TestCodeLoginComesBack(t *testing.T) {
	t.Parallel()
	for name, host := range map[string]string{"IPv4": "127.0.0.1", "IPv6": "::1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			box := h.box("--without-device", "--approve", "auto")
			h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "native")
			login := h.startCodeLogin("here")
			answer := login.answer()
			at := net.JoinHostPort(host, login.port)

			login.opens(404, "There is nothing here.", at, "/favicon.ico")
			login.opens(404, "There is nothing here.", at, strings.Replace(answer.RequestURI(), "/callback/here", "/callback/other", 1))
			login.opens(400, "There is no answer in this address.", at, "/callback/here")
			login.opens(400, "does not belong to this login", at, requestURI(changed(answer.String(), "state", "of-somebody-else")))
			login.opens(400, "does not belong to this login", at, requestURI(changed(answer.String(), "iss", "https://evil.example")))
			login.as("evil.test").opens(400, "This is not the name of this server.", at, answer.RequestURI())
			login.as("evil.test:"+login.port).opens(400, "This is not the name of this server.", at, answer.RequestURI())
			if n := box.exchanges(); n != 0 {
				t.Errorf("the provider saw %d exchanges", n)
			}

			login.opens(200, "You are logged in to here.", at, answer.RequestURI())
			login.ends()
			if c, err := net.Dial("tcp", at); err == nil {
				c.Close()
				t.Error("something still listens")
			}
			if n, reused := box.exchanges(), box.record().CodesReused; n != 1 || reused != 0 {
				t.Errorf("the provider saw %d exchanges, %d of them of a spent code", n, reused)
			}
			if token := h.token("here"); token == "" {
				t.Error("there is no token")
			}
		})
	}
}

// TestTwoCodeLoginsAtOnce brings each of two logins the answer of the other one
// first: they have all in common but their state.
func TestTwoCodeLoginsAtOnce(t *testing.T) {
	t.Parallel()
	for _, daemon := range []bool{false, true} {
		h := newHome(t)
		box := h.box("--without-device", "--approve", "auto")
		h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "native")
		if daemon {
			h.serve()
		}
		one, two := h.startCodeLogin("here/one"), h.startCodeLogin("here/two")
		first, second := one.answer(), two.answer()
		one.opens(400, "does not belong to this login", "127.0.0.1:"+one.port, second.RequestURI())
		two.opens(400, "does not belong to this login", "127.0.0.1:"+two.port, first.RequestURI())
		two.opens(200, "You are logged in to here.", "127.0.0.1:"+two.port, second.RequestURI())
		two.ends()
		one.opens(200, "You are logged in to here.", "127.0.0.1:"+one.port, first.RequestURI())
		one.ends()
		if n := box.exchanges(); n != 2 {
			t.Errorf("daemon %v: the provider saw %d exchanges", daemon, n)
		}
		if h.token("here/one") == h.token("here/two") {
			t.Errorf("daemon %v: both have the same token", daemon)
		}
	}
}

// The browser is sent to another server than the one that was asked, with the state
// and the redirect URI of the login (RFC 9700 section 4.4). That server's code goes
// nowhere, and the login still waits for its own.
func TestRFC9700_94_CodeOfAnotherServerGoesNowhere(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	honest, attacker := h.box("--without-device", "--approve", "auto"), h.box("--without-device", "--approve", "auto")
	h.must("provider", "add", "here", "--issuer", honest.issuer, "--client-id", "native")
	login := h.startCodeLogin("here")
	at := "127.0.0.1:" + login.port
	mixed := redirection(t, strings.Replace(login.link, honest.issuer, attacker.issuer, 1))
	if q := mixed.Query(); q.Get("code") == "" || q.Get("iss") != attacker.issuer {
		t.Fatalf("the other server leads to %v", mixed)
	}
	login.opens(400, "does not belong to this login", at, mixed.RequestURI())
	login.opens(200, "You are logged in to here.", at, login.answer().RequestURI())
	login.ends()
	if h, a := honest.exchanges(), attacker.exchanges(); h != 1 || a != 0 {
		t.Errorf("%d exchanges, and %d at the other server", h, a)
	}
}

// A listeningLogin is usher login, waiting for the browser.
type listeningLogin struct {
	t    *testing.T
	p    *process
	link string
	port string
	host string // the header of that name, if it is another one
}

func (h *home) startCodeLogin(key string) *listeningLogin {
	h.t.Helper()
	p := h.start(h.command(binary, "login", key, "--flow", "code", "--json"))
	link := decode[codeLogin](h.t, p.line()).AuthorizationURI
	u, err := url.Parse(link)
	if err != nil {
		h.t.Fatal(err)
	}
	back, err := url.Parse(u.Query().Get("redirect_uri"))
	if err != nil || back.Hostname() != "127.0.0.1" {
		h.t.Fatalf("the link is %s, %v", link, err)
	}
	return &listeningLogin{t: h.t, p: p, link: link, port: back.Port()}
}

// as is l with another header Host in its requests.
func (l *listeningLogin) as(host string) *listeningLogin {
	other := *l
	other.host = host
	return &other
}

// answer is where the provider sends the browser that opens the link.
func (l *listeningLogin) answer() *url.URL { return redirection(l.t, l.link) }

func redirection(t *testing.T, link string) *url.URL {
	t.Helper()
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := stay.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	to, err := r.Location()
	if err != nil {
		t.Fatalf("the provider answered %s: %v", r.Status, err)
	}
	return to
}

func requestURI(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return err.Error()
	}
	return u.RequestURI()
}

// opens opens a page of the login's listener at the address at.
func (l *listeningLogin) opens(status int, says, at, target string) {
	l.t.Helper()
	r, err := http.NewRequestWithContext(l.t.Context(), "GET", "http://"+at+target, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	if l.host != "" {
		r.Host = l.host
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status || !strings.Contains(string(page), says) {
		l.t.Errorf("opened %.40s: %s %v\n%s\nwant %d %q", target, response.Status, err, page, status, says)
	}
}

// ends waits until the login has succeeded.
func (l *listeningLogin) ends() {
	l.t.Helper()
	l.p.rest()
	if r := l.p.wait(); r.code != exitOK {
		l.t.Errorf("the login ended with exit code %d\nstdout: %s\nstderr: %s", r.code, r.stdout, r.stderr)
	}
}
