package cli

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// On a terminal nothing approves by itself: the demo waits for a person, who
// opens the link in a browser and approves on the page there.
func TestDemoWaitsForAPerson(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.env["TMPDIR"] = filepath.Dir(i.dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	person, program := openTerminal(t, 100)
	var out, shown safeBuffer
	cmd := exec.Command(self, "demo")
	cmd.Env = append(os.Environ(), asUsher+"=1", "TERM=xterm", "LANG=C.UTF-8", "NO_COLOR=1")
	for name, value := range i.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, &out, program
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	_ = program.Close() // the child has it
	go func() { _, _ = io.Copy(&shown, person) }()

	link := regexp.MustCompile(`(?m)^http://127\.0\.0\.1:\d+/device\?user_code=[A-Z-]+\r?$`)
	eventually(t, "the demo waits", func() bool {
		return link.MatchString(shown.String()) && strings.Contains(shown.String(), "waiting for approval")
	})
	if !strings.Contains(shown.String(), "▀") {
		t.Errorf("no QR code is shown:\n%s", shown.String())
	}
	approveOnPage(t, strings.TrimSpace(link.FindString(shown.String())))
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, shown.String())
	}
	if !strings.Contains(out.String(), "granted 1 refresh for 5 readers") || !strings.Contains(shown.String(), "All 7 steps passed") {
		t.Errorf("stdout %q, and on the terminal:\n%s", out.String(), shown.String())
	}
	if strings.Contains(shown.String(), "approves by itself") {
		t.Error("the server approved by itself")
	}
	nothingLeft(t, i)
}

// approveOnPage opens the sandbox's page with a browser's cookies and presses
// the button.
func approveOnPage(t *testing.T, link string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := http.Client{Jar: jar}
	read := func(resp *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("the page answers %s, %v: %s", resp.Status, err, body)
		}
		return string(body)
	}
	page := read(browser.Get(link))
	form := url.Values{"decision": {"approve"}}
	for _, m := range regexp.MustCompile(`type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(page, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	place, _, _ := strings.Cut(link, "?")
	if page = read(browser.PostForm(place, form)); !strings.Contains(page, "You are done") {
		t.Errorf("after the approval the page is:\n%s", page)
	}
}
