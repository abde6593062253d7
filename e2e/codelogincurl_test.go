package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestCodeLoginByCurl logs in by method code on a daemon that has no terminal, with
// curl alone. Strays, a wrong state, a wrong issuer and the answer of an earlier
// login change nothing, and the provider never hears of them.
func TestCodeLoginByCurl(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box("--without-device", "--approve", "auto")
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "native")
	h.serve()
	c := &curl{t, h.wire()}

	earlier := c.startLogin("here/earlier")
	used := c.location(earlier.AuthorizationURI)
	c.call(200, "", "POST", "/v1/logins/"+earlier.ID+"/complete", answerOf(used))

	login := c.startLogin("here")
	complete := "/v1/logins/" + login.ID + "/complete"
	c.call(400, "invalid_request", "POST", complete, `{"redirected_url":"`+box.issuer+`/favicon.ico"}`)
	c.call(405, "method_not_allowed", "GET", complete, "")
	answer := c.location(login.AuthorizationURI)
	c.call(400, "state_mismatch", "POST", complete, answerOf(changed(answer, "state", "of-somebody-else")))
	c.call(400, "issuer_mismatch", "POST", complete, answerOf(changed(answer, "iss", "https://evil.example")))
	c.call(400, "issuer_mismatch", "POST", complete, answerOf(changed(answer, "iss", "")))
	c.call(400, "state_mismatch", "POST", complete, answerOf(used))
	if n := box.exchanges(); n != 1 {
		t.Errorf("the provider saw %d exchanges, want that of the earlier login alone", n)
	}

	c.call(200, "", "POST", complete, answerOf(answer))
	c.call(409, "login_ended", "POST", complete, answerOf(answer))
	got := c.call(200, "", "GET", "/v1/logins/"+login.ID, "")
	if got["status"] != "authorized" {
		t.Errorf("the login became %v", got)
	}
	if n, reused := box.exchanges(), box.record().CodesReused; n != 2 || reused != 0 {
		t.Errorf("the provider saw %d exchanges, %d of them of a spent code", n, reused)
	}
	if token := h.token("here"); token == "" {
		t.Error("there is no token")
	}
}

// curl is the program of that name, as a client of a daemon.
type curl struct {
	t    *testing.T
	wire *wire
}

// run runs curl to its end.
func (c *curl) run(args ...string) string {
	c.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("curl", append([]string{"--silent", "--show-error", "--max-time", "60"}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		c.t.Fatalf("curl %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return stdout.String()
}

// call makes a request of the daemon, and checks status and error code.
func (c *curl) call(status int, code, method, path, body string) map[string]any {
	c.t.Helper()
	args := []string{
		"--request", method, "--header", "Authorization: Bearer " + c.wire.token,
		"--write-out", "\n%{http_code}", c.wire.url + path,
	}
	if body != "" {
		args = append(args, "--json", body)
	}
	out := c.run(args...)
	end := strings.LastIndex(out, "\n")
	var got map[string]any
	if err := json.Unmarshal([]byte(out[:end]), &got); err != nil {
		c.t.Fatalf("%s %s: %v in %q", method, path, err, out)
	}
	answered, _ := got["code"].(string)
	if out[end+1:] != strconv.Itoa(status) || answered != code {
		c.t.Errorf("%s %s: answered %s %s, want %d %s", method, path, out[end+1:], answered, status, code)
	}
	return got
}

// codeLogin is a login by method code, as it is told when it starts.
type codeLogin struct {
	ID               string
	Method           string
	AuthorizationURI string `json:"authorization_uri"`
}

func (c *curl) startLogin(key string) codeLogin {
	c.t.Helper()
	out := c.run("--header", "Authorization: Bearer "+c.wire.token, "--json", `{"key":"`+key+`"}`, c.wire.url+"/v1/logins")
	login := decode[codeLogin](c.t, out)
	if login.Method != "code" || login.AuthorizationURI == "" {
		c.t.Fatalf("the login started as %s", out)
	}
	return login
}

// location is where the provider sends the browser that opens link.
func (c *curl) location(link string) string {
	c.t.Helper()
	return strings.TrimSpace(c.run("--output", "/dev/null", "--write-out", "%{redirect_url}", link))
}

// changed is an address with one parameter changed, or left out if value is empty.
func changed(address, name, value string) string {
	u, err := url.Parse(address)
	if err != nil {
		return err.Error()
	}
	q := u.Query()
	if q.Set(name, value); value == "" {
		q.Del(name)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func answerOf(address string) string {
	body, _ := json.Marshal(map[string]string{"redirected_url": address}) // of text, it cannot fail
	return string(body)
}

// exchanges is how many codes the provider was asked to exchange.
func (b *box) exchanges() int {
	b.t.Helper()
	r, err := http.Get(b.issuer + "/_sandbox/record")
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close()
	var record struct{ Counts map[string]int }
	if err := json.NewDecoder(r.Body).Decode(&record); err != nil {
		b.t.Fatal(err)
	}
	return record.Counts["token.code"]
}
