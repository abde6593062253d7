package e2e

import (
	"encoding/base64"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// gitServers are two servers that serve the same repositories to whoever has a
// token, and a third one without TLS.
type gitServers struct {
	watched
	ours, other, plain *httptest.Server
	ca                 *authority
	config             string // of git
}

// gitNames are all names of these servers, and no others.
var gitNames = []string{"git.test", "git.test.evil.test", "evil.test", "localhost", "127.0.0.1"}

func startGitServers(t *testing.T, works func(token string) bool) *gitServers {
	t.Helper()
	g := &gitServers{watched: watched{t: t}, ca: newAuthority(t), config: filepath.Join(t.TempDir(), "gitconfig")}
	root := t.TempDir()
	runTool(t, root, "git", "init", "-q", "--bare", "-b", "main", "project.git")
	runTool(t, root, "git", "-C", "project.git", "config", "http.receivepack", "true")
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path: git, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"},
	}
	elsewhere := func(w http.ResponseWriter, r *http.Request, path string) {
		http.Redirect(w, r, "https://git.test.evil.test:"+port(g.ours)+path+"?"+r.URL.RawQuery, http.StatusFound)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path, found := strings.CutPrefix(r.URL.Path, "/moved"); found {
			elsewhere(w, r, path)
			return
		}
		if user, token, ok := r.BasicAuth(); !ok || user != "x-access-token" || !works(token) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if path, found := strings.CutPrefix(r.URL.Path, "/moves"); found {
			elsewhere(w, r, path)
			return
		}
		backend.ServeHTTP(w, r)
	})
	g.ours = g.start("ours", handler, g.ca, gitNames...)
	g.other = g.start("other", handler, g.ca, gitNames...)
	g.plain = g.start("plain", handler, nil)
	g.configure()
	return g
}

func runTool(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

// configure has git ask usher, and find all the names on this machine.
func (g *gitServers) configure() {
	g.t.Helper()
	text := "[user]\nname = Ada\nemail = ada@example.com\n[init]\ndefaultBranch = main\n" +
		"[credential]\nhelper = !usher helper git\nuseHttpPath = true\n" +
		"[http]\nsslCAInfo = " + g.ca.file + "\n"
	for _, name := range append(gitNames, "git.test.") {
		for _, s := range []*httptest.Server{g.ours, g.other, g.plain} {
			text += "curloptResolve = " + name + ":" + port(s) + ":127.0.0.1\n"
		}
	}
	if err := os.WriteFile(g.config, []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// settings are those of the provider for these servers.
func (g *gitServers) settings() []string {
	return []string{
		`git_hosts = ["git.test:` + port(g.ours) + `", "127.0.0.1:` + port(g.plain) + `"]`,
		`git_username = "x-access-token"`,
	}
}

func (g *gitServers) git(h *home, dir string, args ...string) result {
	h.t.Helper()
	return h.tool(dir, "git", []string{"GIT_CONFIG_GLOBAL=" + g.config, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}, args...)
}

// mustGit is git, which has to succeed. It returns its standard output.
func (g *gitServers) mustGit(h *home, dir string, args ...string) string {
	h.t.Helper()
	r := g.git(h, dir, args...)
	if r.code != 0 {
		h.t.Fatalf("git %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// push makes a commit of the file and pushes it.
func (g *gitServers) push(h *home, dir, file, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	g.mustGit(h, dir, "add", file)
	g.mustGit(h, dir, "commit", "-q", "-m", file)
	g.mustGit(h, dir, "push", "-q", "origin", "HEAD:main")
}

// password is what a request shows as the password of a Basic authentication.
func (r request) password(t *testing.T) string {
	t.Helper()
	coded, ok := strings.CutPrefix(r.Authorization, "Basic ")
	if !ok {
		return ""
	}
	plain, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		t.Fatal(err)
	}
	_, password, _ := strings.Cut(string(plain), ":")
	return password
}

// tokenGivenTo are the servers and hosts that got a token of the sandbox.
func tokenGivenTo(t *testing.T, seen []request) map[string]bool {
	t.Helper()
	places := map[string]bool{}
	for _, r := range seen {
		if strings.Contains(r.Authorization, "at_") || strings.HasPrefix(r.password(t), "at_") {
			places[r.Server+" "+r.Host] = true
		}
	}
	return places
}

// TestGitHelper has the real git clone, push and fetch, and get over a token that
// the provider has taken back.
func TestGitHelper(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, h *home, _ bool) {
		b := h.box("--interval", "1", "--approve", "auto")
		g := startGitServers(t, b.works)
		h.logInWithTools(b, g.settings()...)
		url, dir := "https://git.test:"+port(g.ours)+"/project.git", t.TempDir()
		g.mustGit(h, dir, "clone", "-q", url, "one")
		g.push(h, filepath.Join(dir, "one"), "first", "1")
		g.mustGit(h, dir, "clone", "-q", url, "two")
		g.push(h, filepath.Join(dir, "one"), "second", "2")
		g.mustGit(h, filepath.Join(dir, "two"), "fetch", "-q")
		if got := g.mustGit(h, filepath.Join(dir, "two"), "show", "origin/main:second"); got != "2\n" {
			t.Errorf("fetched %q", got)
		}
		g.mustGit(h, dir, "ls-remote", "http://127.0.0.1:"+port(g.plain)+"/project.git")

		// Git finds out that the token is refused and says so; then there is another.
		first := h.token("here")
		b.post("/_sandbox/expire", `{"access_tokens": true}`)
		if r := g.git(h, dir, "ls-remote", url); r.code == 0 {
			t.Errorf("the server took a token that the provider has ended: %s", r.stdout)
		}
		g.mustGit(h, dir, "ls-remote", url)
		if h.token("here") == first {
			t.Error("the token is the one that was refused")
		}

		h.must("logout", "here")
		r := g.git(h, dir, "ls-remote", url)
		if r.code == 0 || !strings.Contains(r.stderr, "hint: run: usher login here\n") || !strings.Contains(r.stderr, "quit") {
			t.Errorf("after a logout: exit %d\n%s", r.code, r.stderr)
		}
	})
}

// TestGitHelperKeepsToItsHosts has the real git look at addresses that resemble
// ours. The record of the servers shows who got a token.
func TestGitHelperKeepsToItsHosts(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	b := h.box("--interval", "1", "--approve", "auto")
	g := startGitServers(t, b.works)
	h.logInWithTools(b, g.settings()...)
	ours, other, plain := port(g.ours), port(g.other), port(g.plain)
	given := func(seen []request) map[string]bool { return tokenGivenTo(t, seen) }
	for name, tt := range map[string]struct {
		url     string
		reaches string // as the record has it; empty if git itself refuses the address
		gets    bool   // that place gets the token
	}{
		"ours":               {"https://git.test:" + ours, "ours git.test:" + ours, true},
		"ours in capitals":   {"https://GIT.Test:" + ours, "ours GIT.Test:" + ours, true},
		"ours without TLS":   {"http://127.0.0.1:" + plain, "plain 127.0.0.1:" + plain, true},
		"a percent sign":     {"https://git%2etest:" + ours, "ours git.test:" + ours, true}, // git itself decodes it
		"a domain behind":    {"https://git.test.evil.test:" + ours, "ours git.test.evil.test:" + ours, false},
		"another host":       {"https://evil.test:" + ours, "ours evil.test:" + ours, false},
		"another port":       {"https://git.test:" + other, "other git.test:" + other, false},
		"another name":       {"https://localhost:" + ours, "ours localhost:" + ours, false},
		"an address":         {"https://127.0.0.1:" + ours, "ours 127.0.0.1:" + ours, false},
		"a dot at the end":   {"https://git.test.:" + ours, "ours git.test.:" + ours, false},
		"user and password":  {"https://git.test:" + ours + "@evil.test:" + ours, "ours evil.test:" + ours, false},
		"the user name":      {"https://x-access-token@evil.test:" + ours, "ours evil.test:" + ours, false},
		"no TLS":             {"http://git.test:" + plain, "plain git.test:" + plain, false},
		"no TLS, by name":    {"http://localhost:" + plain, "plain localhost:" + plain, false},
		"moved":              {"https://git.test:" + ours + "/moved", "ours git.test.evil.test:" + ours, false},
		"moves if logged in": {"https://git.test:" + ours + "/moves", "ours git.test.evil.test:" + ours, false},
		"lines in the user":  {"https://x%0d%0ahost=git.test:" + ours + "@evil.test:" + ours, "", false},
		"return in the user": {"https://x%0dhost=git.test@evil.test:" + ours, "ours evil.test:" + ours, false},
		"lines in the host":  {"https://evil.test%0d%0ahost=git.test:" + ours, "", false},
		"line in the path":   {"https://evil.test:" + ours + "/x%0ahost=git.test:" + ours, "ours evil.test:" + ours, false},
		"return in the path": {"https://evil.test:" + ours + "/x%0dhost=git.test:" + ours, "ours evil.test:" + ours, false},
		"a backslash":        {`https://git.test\@evil.test:` + ours, "ours evil.test:" + ours, false},
		"a letter like ours": {"https://g\u0456t.test:" + ours, "", false},
	} {
		// The dot is in no certificate.
		r := g.git(h, t.TempDir(), "-c", "http.sslVerify="+strconv.FormatBool(name != "a dot at the end"), "ls-remote", tt.url+"/project.git")
		seen := g.requests()
		got := given(seen)
		if (r.code == 0) != tt.gets {
			t.Errorf("%s: exit %d\n%s", name, r.code, r.stderr)
		}
		reached := len(seen) == 0 && tt.reaches == ""
		for _, r := range seen {
			reached = reached || tt.reaches == r.Server+" "+r.Host
		}
		if !reached {
			t.Errorf("%s: %s was not reached but %+v\n%s", name, tt.reaches, seen, r.stderr)
		}
		if tt.gets != got[tt.reaches] {
			t.Errorf("%s: the token went to %v\n%s", name, got, r.stderr)
		}
		for place := range got {
			if place != "ours git.test:"+ours && !tt.gets {
				t.Errorf("%s: the token went to %s", name, place)
			}
		}
	}

	// A repository that is ours names others as its parts.
	dir := t.TempDir()
	url := "https://git.test:" + ours + "/project.git"
	g.mustGit(h, dir, "clone", "-q", url, "one")
	one := filepath.Join(dir, "one")
	g.push(h, one, "file", "text")
	commit := strings.TrimSpace(g.mustGit(h, one, "rev-parse", "HEAD"))
	var modules string
	for name, url := range map[string]string{
		"host": "https://git.test.evil.test:" + ours + "/project.git",
		"line": "https://evil.test:" + ours + "/x%0d%0ahost=git.test:" + ours + "/project.git",
		"user": "https://x%0dhost=git.test@evil.test:" + ours + "/project.git",
	} {
		modules += "[submodule \"" + name + "\"]\npath = " + name + "\nurl = " + url + "\n"
		g.mustGit(h, one, "update-index", "--add", "--cacheinfo", "160000,"+commit+","+name)
	}
	g.push(h, one, ".gitmodules", modules)
	g.requests()
	for _, name := range []string{"host", "line", "user"} {
		r := g.git(h, dir, "clone", "-q", "--recurse-submodules="+name, url, "with-"+name)
		if r.code == 0 {
			t.Errorf("the part %q was cloned", name)
		}
		seen := g.requests()
		for place := range given(seen) {
			if place != "ours git.test:"+ours {
				t.Errorf("the part %q: the token went to %s", name, place)
			}
		}
		if !given(seen)["ours git.test:"+ours] {
			t.Errorf("the part %q: the whole was not cloned: %s", name, r.stderr)
		}
	}
}
