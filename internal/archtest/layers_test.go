// Package archtest holds rules of the whole repository as tests: which package
// may import which, and that the daemon cannot start a process or open a
// browser. Each rule is a function over a tree, so that the tests also show it
// to bite on a tree or a package that breaks it. The package holds tests only.
package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/usherauth/usher"

// root is the repository seen from this package's folder.
const root = "../.."

// layers is the layer table: package -> row. A package imports only packages
// on rows below its own; test files are free. A package that is not here fails
// the test. "." is the module root. Packages that are planned and not built
// yet have their row already.
var layers = map[string]int{
	"cmd/usher":          9,
	"examples/inprocess": 9,

	"internal/cli": 8,

	"server":     7,
	"proxy":      7,
	"mcp/bridge": 7,

	"broker": 6,

	"mcp": 5,

	"token":          4,
	"login":          4,
	"login/callback": 4,
	"apikey":         4,

	"credential/credentialtest": 3,
	"credential/filestore":      3,
	"credential/memstore":       3,
	"credential/pgstore":        3,
	"credential/sealed":         3,
	"oauth2adapter":             3,
	"session":                   3,
	"share":                     3,
	"internal/config":           3,

	".":             2,
	"credential":    2,
	"provider":      2,
	"event":         2,
	"audit":         2,
	"sandbox":       2,
	"internal/term": 2,
	// Tools of the command line.
	"internal/browser":    2,
	"internal/child":      2,
	"internal/credhelper": 2,
	"internal/shell":      2,
	"internal/toolconf":   2,
	"oauth/oauthtest":     2,

	"oauth": 1,
	"api":   1,

	"secret":              0,
	"internal/atomicfile": 0,
	"internal/filelock":   0,
	"internal/localsock":  0,
	"internal/sse":        0,
	"internal/memhttp":    0,
	"internal/safetext":   0,
	"internal/uuid":       0,
	"internal/failpoint":  0,
	"internal/conffile":   0,
	"internal/ring":       0,
	"internal/promtext":   0,
	"internal/ptytest":    0,
}

// narrow names packages that may import even less than their row allows. The
// public client must stay small for the programs that link it.
var narrow = map[string][]string{
	".": {"api", "secret", "internal/sse", "internal/localsock"},
}

// A pkg is a package of the tree: its folder relative to the module and the
// folders of the module's packages that it imports outside of test files.
type pkg struct {
	dir     string
	imports []string
}

// readTree lists the packages of the module at dir. Nested modules, test data
// and hidden folders are not part of it, nor are packages of tests alone.
func readTree(dir string) ([]pkg, error) {
	found := map[string]map[string]bool{} // package -> imports
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipDir(dir, name, d)
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(dir, filepath.Dir(name))
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if found[rel] == nil {
			found[rel] = map[string]bool{}
		}
		return addImports(found[rel], name)
	})
	var pkgs []pkg
	for d, imports := range found {
		p := pkg{dir: d}
		for i := range imports {
			p.imports = append(p.imports, i)
		}
		slices.Sort(p.imports)
		pkgs = append(pkgs, p)
	}
	slices.SortFunc(pkgs, func(a, b pkg) int { return strings.Compare(a.dir, b.dir) })
	return pkgs, err
}

// skipDir returns fs.SkipDir for a folder that the go command would not look
// for this module's packages in.
func skipDir(root, name string, d fs.DirEntry) error {
	if name == root {
		return nil
	}
	if b := d.Name(); b == "testdata" || b == "vendor" || b == "node_modules" || b[0] == '.' || b[0] == '_' {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// addImports adds the module's own packages that the file imports. Build
// constraints do not matter: a file for another platform obeys the table too.
func addImports(to map[string]bool, name string) error {
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if p == module {
			to["."] = true
		} else if rest, ok := strings.CutPrefix(p, module+"/"); ok {
			to[rest] = true
		}
	}
	return nil
}

// checkLayers returns a sentence per breach of the table.
func checkLayers(pkgs []pkg, rows map[string]int, narrow map[string][]string) []string {
	var bad []string
	for _, p := range pkgs {
		row, ok := rows[p.dir]
		if !ok {
			bad = append(bad, fmt.Sprintf("%s is not in the layer table", show(p.dir)))
			continue
		}
		for _, i := range p.imports {
			to, known := rows[i]
			switch {
			case !known:
				bad = append(bad, fmt.Sprintf("%s imports %s, which is not in the layer table", show(p.dir), show(i)))
			case to >= row:
				bad = append(bad, fmt.Sprintf("%s (row %d) imports %s (row %d)", show(p.dir), row, show(i), to))
			case narrow[p.dir] != nil && !slices.Contains(narrow[p.dir], i):
				bad = append(bad, fmt.Sprintf("%s imports %s, outside its short list", show(p.dir), show(i)))
			}
		}
	}
	return bad
}

func show(dir string) string { return path.Join("usher", dir) }

func TestLayers(t *testing.T) {
	pkgs, err := readTree(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) == 0 {
		t.Fatal("no package found")
	}
	for _, bad := range checkLayers(pkgs, layers, narrow) {
		t.Error(bad)
	}
}

func TestLayersBite(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":                 "module " + module + "\n",
		"client.go":              "package usher\nimport _ \"" + module + "/api\"\nimport _ \"" + module + "/oauth\"\n",
		"api/api.go":             "package api\nimport _ \"net/http\"\n",
		"oauth/oauth.go":         "package oauth\nimport _ \"" + module + "/token\"\n",
		"oauth/x_windows.go":     "package oauth\nimport _ \"" + module + "/api\"\n",
		"oauth/oauth_test.go":    "package oauth_test\nimport _ \"" + module + "/server\"\n",
		"token/token.go":         "package token\nimport _ \"" + module + "/oauth\"\nimport _ \"" + module + "/nowhere\"\n",
		"extra/extra.go":         "package extra\n",
		"onlytests/only_test.go": "package onlytests\n",
		"oauth/testdata/p/p.go":  "package p\nimport _ \"" + module + "/server\"\n",
		"e2e/go.mod":             "module e2e\n",
		"e2e/e2e.go":             "package e2e\nimport _ \"" + module + "/internal/cli\"\n",
		".hidden/h.go":           "package h\n",
	}
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pkgs, err := readTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"usher imports usher/oauth, outside its short list",
		"usher/extra is not in the layer table",
		"usher/oauth (row 1) imports usher/api (row 1)",
		"usher/oauth (row 1) imports usher/token (row 4)",
		"usher/token imports usher/nowhere, which is not in the layer table",
	}
	if diff := cmp.Diff(want, checkLayers(pkgs, layers, narrow)); diff != "" {
		t.Errorf("breaches (-want +got):\n%s", diff)
	}
}
