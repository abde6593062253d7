package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
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
