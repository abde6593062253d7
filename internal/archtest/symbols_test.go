package archtest

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The symbol check asks the linker. A probe program keeps every exported
// function and method of the daemon's packages alive; what they can reach is
// in its binary, and what starts programs must not be. Package syscall brings
// a few symbols into every program (execve on darwin among them), so the check
// looks for the functions through which all of them are reached.

// startSymbols matches symbols that are linked only where a program is started.
var startSymbols = regexp.MustCompile(`^(os\.(StartProcess|startProcess)|os/exec\..*|plugin\..*|` +
	`syscall\.(Exec|ForkExec|forkExec|forkAndExecInChild1?|StartProcess|CreateProcess|CreateProcessAsUser)|` +
	`golang\.org/x/sys/unix\.Exec|golang\.org/x/sys/windows\.(CreateProcess|CreateProcessAsUser|ShellExecute))$`)

// findStartSymbols builds a main package and returns the symbols that start
// programs, and how many symbols there are.
func findStartSymbols(t *testing.T, p platform, pattern string, buildArgs ...string) (found []string, total int) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "probe")
	build := exec.Command("go", append(append([]string{"build", "-o", binary}, buildArgs...), pattern)...)
	build.Dir = root
	build.Env = append(os.Environ(), "GOOS="+p.goos, "GOARCH="+p.goarch, "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s for %v: %v\n%s", pattern, p, err, out)
	}
	out, err := exec.Command("go", "tool", "nm", binary).Output()
	if err != nil {
		t.Fatalf("reading the symbols of %s: %v", pattern, err)
	}
	for line := range strings.Lines(string(out)) {
		// [address] type name, without an address for what is undefined
		f := strings.Fields(line)
		total++
		if name := f[len(f)-1]; startSymbols.MatchString(name) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), total
}

// nativePlatforms share their compiled standard library with go vet.
func nativePlatforms() []platform {
	return []platform{{"linux", runtime.GOARCH}, {"darwin", runtime.GOARCH}, {"windows", runtime.GOARCH}}
}

func TestDaemonLinksNothingThatStartsProcesses(t *testing.T) {
	for _, p := range nativePlatforms() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			pattern, overlay := writeProbe(t, p, daemonPatterns(t)...)
			found, total := findStartSymbols(t, p, pattern, "-overlay", overlay)
			if len(found) > 0 {
				t.Errorf("the daemon links %v", found)
			}
			// Less would be a probe that the linker emptied.
			if total < 1000 {
				t.Errorf("the probe has %d symbols only", total)
			}
		})
	}
}

func TestSymbolCheckBites(t *testing.T) {
	for _, p := range nativePlatforms() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			pattern, overlay := writeProbe(t, p, planted("clean"))
			if found, _ := findStartSymbols(t, p, pattern, "-overlay", overlay); len(found) > 0 {
				t.Errorf("a program that starts nothing has %v", found)
			}
			// The call hides in a method that only reflection reaches.
			pattern, overlay = writeProbe(t, p, planted("method"))
			found, _ := findStartSymbols(t, p, pattern, "-overlay", overlay)
			if !slices.Contains(found, "os.StartProcess") {
				t.Errorf("a program that starts another has only %v", found)
			}
		})
	}
}

// writeProbe writes a main package that keeps all that the module's packages
// among the patterns and their imports export. It returns the package's
// pattern and the overlay for go build that puts it in its place.
func writeProbe(t *testing.T, p platform, patterns ...string) (pattern, overlay string) {
	t.Helper()
	pkgs, err := goList(p, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	var imports, uses strings.Builder
	for i, l := range pkgs {
		if l.ImportPath != module && !strings.HasPrefix(l.ImportPath, module+"/") {
			continue
		}
		funcs, typs, err := exported(l)
		if err != nil {
			t.Fatal(err)
		}
		if len(funcs)+len(typs) == 0 {
			continue
		}
		fmt.Fprintf(&imports, "\tp%d %q\n", i, l.ImportPath)
		for _, name := range funcs {
			fmt.Fprintf(&uses, "\tuse(reflect.ValueOf(p%d.%s).Type())\n", i, name)
		}
		for _, name := range typs {
			fmt.Fprintf(&uses, "\tuse(reflect.TypeFor[*p%d.%s]())\n", i, name)
		}
	}
	if uses.Len() == 0 {
		t.Fatalf("%v export nothing", patterns)
	}
	source := "package main\n\nimport (\n\t\"reflect\"\n" + imports.String() + ")\n\nfunc main() {\n" + uses.String() + "}\n" +
		// The linker keeps all exported methods of types seen by reflection
		// once a program asks for methods by number.
		"\nfunc use(t reflect.Type) {\n\tfor i := range t.NumMethod() {\n\t\tprintln(t.Method(i).Name)\n\t}\n}\n"

	dir := t.TempDir()
	main := filepath.Join(dir, "main.go")
	place, err := filepath.Abs("testdata/probe/main.go")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{place: main}})
	if err != nil {
		t.Fatal(err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	for name, text := range map[string][]byte{main: []byte(source), overlay: data} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "./internal/archtest/testdata/probe", overlay
}

// exported returns the exported functions and types of a package that can be
// named without type arguments.
func exported(l listed) (funcs, typs []string, err error) {
	for _, name := range l.GoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(l.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, err
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.IsExported() && d.Type.TypeParams == nil {
					funcs = append(funcs, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok && s.Name.IsExported() && s.TypeParams == nil {
						typs = append(typs, s.Name.Name)
					}
				}
			}
		}
	}
	return funcs, typs, nil
}
