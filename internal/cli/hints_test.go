package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/usherauth/usher/credential"
)

// Every command that a hint tells people to run is one.
func TestHintsNameCommandsThatExist(t *testing.T) {
	i := install(t)
	root := (&app{getenv: func(name string) string { return i.env[name] }}).root()
	named := regexp.MustCompile(`(?:^|[ :(\n])usher ([a-z]+(?: [a-z]+)*)`)
	seen := 0
	check := func(file, text string) {
		for _, match := range named.FindAllStringSubmatch(text, -1) {
			words := strings.Fields(match[1])
			seen++
			cmd, rest, err := root.Find(words)
			if err != nil || cmd == root {
				t.Errorf("%s: %q names no command", file, match[0])
			} else if len(rest) > 0 && credential.CheckName(rest[0]) != nil {
				t.Errorf("%s: %q: %s has no command %s", file, match[0], cmd.CommandPath(), rest[0])
			}
		}
	}
	for _, folder := range []string{"../../broker", "../../login", "../../token", "../../provider", "../../server"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, text, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					said, err := strconv.Unquote(l.Value)
					if err != nil {
						t.Fatal(err)
					}
					check(file, said)
				}
				return true
			})
		}
	}
	if seen < 10 {
		t.Errorf("found %d hints with commands", seen)
	}
}

// Every error says what to do next. A mistake in how a command was called gets
// its hint from report; what is nobody's to mend has none.
func TestErrorsHaveHints(t *testing.T) {
	without := []string{"CodeInvalidRequest", "CodeInternal", "CodeInterrupted", "CodeCancelled", "CodeDaemonStopping", "CodeTimeout"}
	made := 0
	for _, folder := range []string{".", "../../broker"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			hinted := map[ast.Node]bool{} // errors that WithHint is called on, at once or by their variable
			named := map[string]bool{}
			ast.Inspect(parsed, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && (s.Sel.Name == "WithHint" || s.Sel.Name == "Hint") {
					hinted[s.X] = true
					if v, ok := s.X.(*ast.Ident); ok {
						named[v.Name] = true
					}
				}
				return true
			})
			ast.Inspect(parsed, func(n ast.Node) bool {
				if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == len(a.Rhs) {
					for i, v := range a.Lhs {
						if v, ok := v.(*ast.Ident); ok && named[v.Name] {
							hinted[a.Rhs[i]] = true
						}
					}
				}
				return true
			})
			ast.Inspect(parsed, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || len(call.Args) == 0 {
					return true
				}
				f, isSel := call.Fun.(*ast.SelectorExpr)
				code, isCode := call.Args[0].(*ast.SelectorExpr)
				if !isSel || !isCode || f.Sel.Name != "Errorf" || !strings.HasPrefix(code.Sel.Name, "Code") || code.Sel.Name == "Code" {
					return true
				}
				made++
				if !hinted[call] && !slices.Contains(without, code.Sel.Name) {
					t.Errorf("%s: the error with %s has no hint", set.Position(call.Pos()), code.Sel.Name)
				}
				return true
			})
		}
	}
	if made < 30 {
		t.Errorf("found %d errors", made)
	}
}
