package oidcprovider

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// Approve follows the verification link as the person user: it enters the code,
// confirms the device, signs in (the server takes any password) and consents.
// The subject of the tokens is user.
func (s *Server) Approve(ctx context.Context, verificationURI, user string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	client := &http.Client{Jar: jar}
	page, err := fetch(ctx, client, http.MethodGet, verificationURI, nil)
	if err != nil {
		return err
	}
	// Four forms lead to the end; a few more are no reason to go on for ever.
	for range 8 {
		if strings.Contains(page.text, "Sign-in Success") {
			return nil
		}
		if page.form == nil {
			return fmt.Errorf("approving: no form on the page %s: %.300s", page.url, page.text)
		}
		values := page.form.values
		if _, ok := values["login"]; ok {
			values.Set("login", user)
			values.Set("password", "any")
		}
		to, err := page.url.Parse(page.form.action)
		if err != nil {
			return fmt.Errorf("approving: form action: %w", err)
		}
		if page, err = fetch(ctx, client, http.MethodPost, to.String(), values); err != nil {
			return err
		}
	}
	return fmt.Errorf("approving: still at %s: %.300s", page.url, page.text)
}

// A page is an HTML page as a person sees it: its text and its first form.
type page struct {
	url  *url.URL
	text string
	form *form
}

type form struct {
	action string
	values url.Values // all named inputs with the values they came with
}

func fetch(ctx context.Context, client *http.Client, method, to string, values url.Values) (*page, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("approving: %w", err)
	}
	defer resp.Body.Close()
	root, err := html.Parse(http.MaxBytesReader(nil, resp.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("approving: reading %s: %w", resp.Request.URL, err)
	}
	p := &page{url: resp.Request.URL}
	p.read(root)
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("approving: %s answered %s: %.300s", p.url, resp.Status, p.text)
	}
	return p, nil
}

func (p *page) read(n *html.Node) {
	switch {
	case n.Type == html.TextNode:
		p.text += n.Data
	case n.Type != html.ElementNode:
	case n.Data == "style" || n.Data == "script":
		return
	case n.Data == "form" && p.form == nil:
		p.form = &form{action: attr(n, "action"), values: url.Values{}}
	case n.Data == "input" && p.form != nil && attr(n, "name") != "":
		p.form.values.Set(attr(n, "name"), attr(n, "value"))
	}
	for c := range n.ChildNodes() {
		p.read(c)
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// Subject presents an access token to the server's userinfo endpoint and
// returns whose it is. A token that the server does not take is an error.
func (s *Server) Subject(ctx context.Context, accessToken string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Issuer+"/me", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var info struct{ Sub string }
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("userinfo answered %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&info); err != nil {
		return "", fmt.Errorf("reading userinfo: %w", err)
	}
	return info.Sub, nil
}
