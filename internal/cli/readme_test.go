package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
	"github.com/usherauth/usher/provider"
)

// What the README shows is what a login shows.
func TestReadmeShowsALogin(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, sample, _ := strings.Cut(string(text), "$ usher login corp\n")
	sample, _, found := strings.Cut(sample, "```\n")
	if !found {
		t.Fatal("the README shows no login")
	}
	const page = "https://login.corp.example/device"
	var want bytes.Buffer
	a := &app{err: term.New(&want, func(string) string { return "" })}
	a.say((&linesView{app: a, page: loginPage{provider: provider.Provider{Name: "corp", Title: "corp"}, login: api.Login{
		Key: "corp", Origin: "ada@box", Scopes: []string{"openid"}, UserCode: "WXYZ-1234",
		VerificationURI: page, VerificationURIComplete: page + "?user_code=WXYZ-1234",
	}}}).text())
	if diff := cmp.Diff(want.String(), sample); diff != "" {
		t.Errorf("README.md differs from the program (-program +README):\n%s", diff)
	}
}
