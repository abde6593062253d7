package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
)

// The words of the wires are declared in package api and nowhere else: the
// packages that write them and the one that reads them name its constants, so
// that the two cannot drift apart.

// wordUsers are the folders that speak the wires.
var wordUsers = []string{".", "server", "broker", "session", "event"}

// sharedWords returns the string constants of package api in root that only a
// wire would have: those with an underscore or a dot within.
func sharedWords(t *testing.T, root string) map[string]bool {
	t.Helper()
	words := map[string]bool{}
	eachFile(t, filepath.Join(root, "api"), func(_ string, f *ast.File) {
		for _, d := range f.Decls {
			if gen, ok := d.(*ast.GenDecl); ok && gen.Tok == token.CONST {
				eachText(gen, func(text string, _ token.Pos) {
					if strings.ContainsAny(text, "_.") && !strings.ContainsAny(text, "/ ") {
						words[text] = true
					}
				})
			}
		}
	})
	return words
}

// repeatedWords returns where the folders repeat one of words as a literal.
func repeatedWords(t *testing.T, root string, words map[string]bool, folders ...string) (found []string) {
	t.Helper()
	for _, folder := range folders {
		eachFile(t, filepath.Join(root, folder), func(name string, f *ast.File) {
			eachText(f, func(text string, _ token.Pos) {
				if words[text] {
					found = append(found, filepath.ToSlash(filepath.Join(folder, name))+": "+text)
				}
			})
		})
	}
	return found
}

// eachFile parses the files of a folder that are no tests.
func eachFile(t *testing.T, folder string, do func(name string, f *ast.File)) {
	t.Helper()
	fset := token.NewFileSet()
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && path != folder:
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err == nil {
			do(filepath.Base(path), f)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// eachText visits the string literals below n, but for import paths and tags.
func eachText(n ast.Node, do func(text string, at token.Pos)) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			n.Tag = nil
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				if text, err := strconv.Unquote(n.Value); err == nil {
					do(text, n.Pos())
				}
			}
		}
		return true
	})
}

func TestWordsOfTheWiresAreDeclaredOnce(t *testing.T) {
	words := sharedWords(t, root)
	if len(words) < 50 {
		t.Fatalf("package api declares only %d words", len(words))
	}
	for _, found := range repeatedWords(t, root, words, wordUsers...) {
		t.Errorf("%s stands there as a literal; package api declares it", found)
	}
}

func TestWordCheckBites(t *testing.T) {
	words := sharedWords(t, "testdata/words")
	got := repeatedWords(t, "testdata/words", words, "user")
	if diff := cmp.Diff([]string{"user/user.go: not_here"}, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

// The domain has statuses of its own, below package api; what it shares with
// the wires must be the same words.
func TestStatusesOfTheDomainAreTheWires(t *testing.T) {
	got := []string{
		string(credential.LoginPending), string(credential.LoginAuthorized), string(credential.LoginDenied),
		string(credential.LoginExpired), string(credential.LoginFailed), string(credential.LoginCancelled),
		string(credential.Active), string(credential.NeedsLogin), login.FailurePersist,
	}
	want := []string{
		api.LoginPending, api.LoginAuthorized, api.LoginDenied, api.LoginExpired, api.LoginFailed, api.LoginCancelled,
		api.StateActive, api.StateNeedsLogin, api.KindPersistFailed,
	}
	if !slices.Equal(got, want) {
		t.Errorf("the domain says %q, the wires %q", got, want)
	}
}
