package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
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
	want := shown(api.Login{
		Key: "corp", Origin: "ada@box", Scopes: []string{"openid"}, UserCode: "WXYZ-1234",
		VerificationURI: page, VerificationURIComplete: page + "?user_code=WXYZ-1234",
	}, provider.Provider{Name: "corp", Title: "corp"}, 0, 0, nil)
	if diff := cmp.Diff(want, sample); diff != "" {
		t.Errorf("README.md differs from the program (-program +README):\n%s", diff)
	}
}
