package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/usherauth/usher/api"
)

// Every declared code must be in the mapping: a forgotten one would silently
// be an internal error with exit code 1.
func TestEveryCodeIsMapped(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	mapped := map[api.Code]bool{}
	for _, c := range api.Codes() {
		mapped[c] = true
	}
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Code" {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if !mapped[api.Code(value)] {
			t.Errorf("%s is not in the mapping", spec.Names[0].Name)
		}
		return true
	})
	if n == 0 || n != len(mapped) {
		t.Errorf("declared %d codes, mapped %d", n, len(mapped))
	}
}

func TestErrorMatchesSentinelByCode(t *testing.T) {
	err := fmt.Errorf("wrapped: %w", api.Errorf(api.CodeLoginNeeded, "login needed for %s: %w", "github", io.EOF).WithHint("run: usher login %s", "github"))
	if !errors.Is(err, api.ErrLoginNeeded) || errors.Is(err, api.ErrExpired) || !errors.Is(err, io.EOF) {
		t.Errorf("errors.Is is wrong for %v", err)
	}
	e := api.AsError(err)
	if e.Code.Exit() != 3 || e.Code.Status() != http.StatusConflict || e.Hint != "run: usher login github" {
		t.Errorf("got %+v", e)
	}
	if api.AsError(nil) != nil || api.AsError(io.EOF).Code != api.CodeInternal {
		t.Error("AsError of nil or a foreign error")
	}
}

func TestProblemCarriesCodeAndHintButNotTheCause(t *testing.T) {
	p := api.Errorf(api.CodeStoreFailure, "saving: %w", errors.New("disk full")).WithHint("free some space").Problem()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"saving: disk full","code":"store_failure","hint":"free some space"}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

func TestTokenDoesNotPrintItself(t *testing.T) {
	tok := api.Token{AccessToken: "canary"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(verb, tok); s != "[token]" && s != "api.Token{[token]}" {
			t.Errorf("%s prints %s", verb, s)
		}
		if s := fmt.Sprintf(verb, api.TokenRequest{Key: "box", Rejected: "canary"}); !strings.Contains(s, "box") || strings.Contains(s, "canary") {
			t.Errorf("%s prints %s", verb, s)
		}
	}
}

func TestPublicLoginHasNoCodes(t *testing.T) {
	l := api.Login{ID: "x", UserCode: "A", VerificationURI: "B", VerificationURIComplete: "C", AuthorizationURI: "D"}
	b, err := json.Marshal(l.Public())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"x","key":"","provider":"","account":"","method":"","status":"","created_at":"0001-01-01T00:00:00Z"}`
	if string(b) != want {
		t.Errorf("got %s", b)
	}
}
