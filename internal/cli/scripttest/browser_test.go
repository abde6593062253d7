//go:build unix

package scripttest

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// authorizationLink is a link of a login by method code as it is printed, within
// JSON as well.
var authorizationLink = regexp.MustCompile(`http://127\.0\.0\.1:\d+/authorize\?[^\s"]+`)

// linkOf is the newest link that a process printed, or is about to print.
func linkOf(ts *testscript.TestScript, name string) string {
	p, link := named(ts, name), ""
	if !eventually(func() bool {
		links := authorizationLink.FindAllString(p.stdout.String()+p.stderr.String(), -1)
		if len(links) > 0 {
			link = links[len(links)-1]
		}
		return link != "" || p.ended()
	}) || link == "" {
		ts.Fatalf("%s printed no link\nstdout: %s\nstderr: %s", name, &p.stdout, &p.stderr)
	}
	return strings.ReplaceAll(link, `\u0026`, "&")
}

// browse opens the link of a login as a browser does, and shows the page that it
// ends on. The sandbox decides by itself.
func browse(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg)
	usage(ts, len(args) == 2, "browse STATUS NAME|URL")
	link := args[1]
	if !strings.Contains(link, "://") {
		link = linkOf(ts, link)
	}
	fmt.Fprintln(ts.Stdout(), visit(ts, http.DefaultClient, link, number(ts, args[0])))
}

func visit(ts *testscript.TestScript, client *http.Client, link string, status int) string {
	response, err := client.Get(link)
	ts.Check(err)
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	ts.Check(err)
	if response.StatusCode != status {
		ts.Fatalf("opened %s: got %s, want %d\n%s", link, response.Status, status, page)
	}
	return string(page)
}

// redirect writes to a file where the provider sends the browser that opens the
// link of a login, with some of its parameters changed, or left out if they are
// changed to nothing. Nobody goes there.
func redirect(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg)
	usage(ts, len(args) >= 2, "redirect NAME FILE [PARAMETER=VALUE...]")
	var to *url.URL
	client := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		to = r.URL
		return http.ErrUseLastResponse
	}}
	visit(ts, client, linkOf(ts, args[0]), http.StatusSeeOther)
	query := to.Query()
	for _, change := range args[2:] {
		name, value, _ := strings.Cut(change, "=")
		if query.Set(name, value); value == "" {
			query.Del(name)
		}
	}
	to.RawQuery = query.Encode()
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(to.String()+"\n"), 0o600))
	ts.Setenv("REDIRECTED", to.String())
	ts.Setenv("CODE", query.Get("code"))
	ts.Setenv("PORT", to.Port())
}

// loginID sets $ID to the id of the newest login.
func loginID(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg)
	usage(ts, len(args) == 0, "login-id")
	p, err := worldOf(ts).start(ts.MkAbs("."), "login", "list", "--json")
	ts.Check(err)
	_, err = p.wait()
	ts.Check(err)
	ids := regexp.MustCompile(`"id":"([^"]+)"`).FindAllStringSubmatch(p.stdout.String(), -1)
	if len(ids) == 0 {
		ts.Fatalf("there is no login: %s%s", &p.stdout, &p.stderr)
	}
	ts.Setenv("ID", ids[len(ids)-1][1])
}
