package archtest

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The type check looks at every line of the daemon's code and of the modules
// it links, on each platform, for a way to start a program: a use of one of
// startFuncs, a kernel call by number, a Windows procedure by name, a linkname,
// or assembly that enters the kernel. The standard library and x/sys define
// these ways, so they are taken as given; what others use of them is the point.

// startFuncs are functions and constants that start programs: package -> names.
var startFuncs = map[string][]string{
	"os":                       {"StartProcess"},
	"syscall":                  {"Exec", "ForkExec", "StartProcess", "CreateProcess", "CreateProcessAsUser"},
	"golang.org/x/sys/unix":    {"Exec"},
	"golang.org/x/sys/windows": {"CreateProcess", "CreateProcessAsUser", "ShellExecute"},
}

// startNumbers matches the constants of kernel calls that start programs.
var startNumbers = regexp.MustCompile(`^SYS_(EXECVE|EXECVEAT|FORK|VFORK|RFORK|CLONE|CLONE3|POSIX_SPAWN)$`)

// numbersOf are their values, for code that writes the number itself.
var numbersOf = map[platform][]int64{
	{"linux", "amd64"}:  {56, 57, 58, 59, 322, 435},
	{"darwin", "arm64"}: {2, 59, 66, 244},
}

var (
	rawCall       = regexp.MustCompile(`^(Raw)?(Vfork)?Syscall(6|9|NoError)?$|^RawVforkSyscall$|^RawSyscallNoError$`)
	procedureName = regexp.MustCompile(`^(NewProc|FindProc|MustFindProc|GetProcAddress)$`)
	startProcs    = regexp.MustCompile(`^(CreateProcess|ShellExec|WinExec|NtCreate(User)?Process|RtlCreateUserProcess|RtlCloneUserProcess)`)
	startLinkname = regexp.MustCompile(`(?i)//go:linkname\s+\S+\s+(os\.|os/exec\.|syscall\.|internal/syscall/\S+\.)\S*(exec|fork|startprocess|createprocess|rawsyscall|syscall6?$)`)
	entersKernel  = regexp.MustCompile(`(?m)^\s*(SYSCALL|SYSENTER|SVC|SWI|INT\s+\$(0x80|128))\b`)
)

// takenAsGiven reports whether the package is one that defines the ways.
func takenAsGiven(l listed) bool {
	return l.Standard || l.ImportPath == "golang.org/x/sys/unix" || l.ImportPath == "golang.org/x/sys/windows"
}

// A spawnChecker type-checks packages in the order of goList and keeps what it
// finds in them.
type spawnChecker struct {
	platform platform

	mu       sync.Mutex
	fset     *token.FileSet
	packages map[string]*types.Package
	found    map[string][]string // import path -> what
}

// spawnCheckers holds one checker per platform, so that the tests check the
// standard library once.
var spawnCheckers = func() map[platform]*spawnChecker {
	m := map[platform]*spawnChecker{}
	for _, p := range platforms {
		m[p] = &spawnChecker{
			platform: p,
			fset:     token.NewFileSet(),
			packages: map[string]*types.Package{"unsafe": types.Unsafe},
			found:    map[string][]string{},
		}
	}
	return m
}()

// checkSpawnCalls returns the ways to start a program among the packages and
// all that they import.
func checkSpawnCalls(p platform, patterns ...string) ([]string, error) {
	pkgs, err := goList(p, patterns...)
	if err != nil {
		return nil, err
	}
	c := spawnCheckers[p]
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []string
	for _, l := range pkgs {
		if err := c.addLocked(l); err != nil {
			return nil, err
		}
		for _, what := range c.found[l.ImportPath] {
			found = append(found, strings.TrimPrefix(l.ImportPath, module+"/")+": "+what)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func (c *spawnChecker) addLocked(l listed) error {
	if c.packages[l.ImportPath] != nil {
		return nil
	}
	given := takenAsGiven(l)
	mode := parser.SkipObjectResolution
	if !given {
		mode |= parser.ParseComments
	}
	var files []*ast.File
	for _, name := range l.GoFiles {
		f, err := parser.ParseFile(c.fset, filepath.Join(l.Dir, name), nil, mode)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{
		Importer: importMap{c.packages, l.ImportMap},
		Sizes:    types.SizesFor("gc", c.platform.goarch),
		// What a given package does inside is not looked at.
		IgnoreFuncBodies: given,
	}
	if given {
		info = nil
	}
	tp, err := conf.Check(l.ImportPath, c.fset, files, info)
	if err != nil {
		return fmt.Errorf("type-checking %s for %v: %w", l.ImportPath, c.platform, err)
	}
	c.packages[l.ImportPath] = tp
	if given {
		return nil
	}
	c.walk(l.ImportPath, files, info)
	return c.readAssembly(l)
}

// importMap resolves imports among the packages checked before.
type importMap struct {
	packages map[string]*types.Package
	renamed  map[string]string // import path in the source -> real one
}

func (m importMap) Import(p string) (*types.Package, error) {
	if r, ok := m.renamed[p]; ok {
		p = r
	}
	if tp := m.packages[p]; tp != nil {
		return tp, nil
	}
	return nil, fmt.Errorf("package %s was not listed before its importer", p)
}

func (c *spawnChecker) report(path, what string, args ...any) {
	c.found[path] = append(c.found[path], fmt.Sprintf(what, args...))
}

func (c *spawnChecker) walk(path string, files []*ast.File, info *types.Info) {
	called := map[*ast.Ident]*ast.CallExpr{} // function name -> its call
	for _, f := range files {
		for _, g := range f.Comments {
			for _, line := range g.List {
				if startLinkname.MatchString(line.Text) {
					c.report(path, "linkname to %s", strings.Fields(line.Text)[2])
				}
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				switch fun := ast.Unparen(call.Fun).(type) {
				case *ast.Ident:
					called[fun] = call
				case *ast.SelectorExpr:
					called[fun.Sel] = call
				}
			}
			return true
		})
	}
	for id, obj := range info.Uses {
		if obj.Pkg() == nil {
			continue
		}
		from, name := obj.Pkg().Path(), obj.Name()
		if slices.Contains(startFuncs[from], name) && obj.Parent() == obj.Pkg().Scope() {
			c.report(path, "uses %s.%s", from, name)
		}
		if from != "syscall" && !strings.HasPrefix(from, "golang.org/x/sys/") {
			continue
		}
		if _, ok := obj.(*types.Const); ok && startNumbers.MatchString(name) {
			c.report(path, "uses %s.%s", from, name)
		}
		if _, ok := obj.(*types.Func); !ok {
			continue
		}
		switch {
		case rawCall.MatchString(name) && c.platform.goos != "windows":
			c.kernelCall(path, from+"."+name, called[id], info)
		case procedureName.MatchString(name):
			c.procedureCall(path, from+"."+name, called[id], info)
		}
	}
}

// kernelCall reports a call by number unless the number is known and harmless.
func (c *spawnChecker) kernelCall(path, name string, call *ast.CallExpr, info *types.Info) {
	if call == nil || len(call.Args) == 0 {
		c.report(path, "takes %s as a value", name)
		return
	}
	v := info.Types[call.Args[0]].Value
	if v == nil {
		c.report(path, "calls %s with a number that is not a constant", name)
		return
	}
	// Darwin marks the class of a call in the upper bits.
	if n, ok := constant.Int64Val(constant.ToInt(v)); !ok || slices.Contains(numbersOf[c.platform], n&0xffffff) {
		c.report(path, "calls %s with number %s", name, v)
	}
}

// procedureCall reports a look-up of a Windows procedure unless its name is
// known and harmless.
func (c *spawnChecker) procedureCall(path, name string, call *ast.CallExpr, info *types.Info) {
	if call == nil || len(call.Args) == 0 {
		c.report(path, "takes %s as a value", name)
		return
	}
	v := info.Types[call.Args[len(call.Args)-1]].Value
	if v == nil || v.Kind() != constant.String {
		c.report(path, "calls %s with a name that is not a constant", name)
	} else if startProcs.MatchString(constant.StringVal(v)) {
		c.report(path, "looks up %s", constant.StringVal(v))
	}
}

func (c *spawnChecker) readAssembly(l listed) error {
	for _, name := range l.SFiles {
		text, err := os.ReadFile(filepath.Join(l.Dir, name))
		if err != nil {
			return err
		}
		if entersKernel.Match(text) {
			c.report(l.ImportPath, "enters the kernel in %s", name)
		}
	}
	return nil
}

func TestDaemonCallsNothingThatStartsProcesses(t *testing.T) {
	for _, p := range platforms {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			found, err := checkSpawnCalls(p, daemonPatterns(t)...)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				t.Error(f)
			}
		})
	}
}

// TestTypeCheckBites checks all planted packages of a platform at once; clean
// is among them and must not show up.
func TestTypeCheckBites(t *testing.T) {
	tests := []struct {
		on   platform
		pkgs []string
		want []string
	}{
		{platforms[0], []string{"clean", "startprocess", "syscalls", "xsys", "rawnumber", "linkname", "assembly"}, []string{
			"assembly: enters the kernel in assembly_amd64.s",
			"linkname: linkname to os.StartProcess",
			"rawnumber: calls syscall.RawSyscall with a number that is not a constant",
			"rawnumber: calls syscall.RawSyscall with number 59",
			"rawnumber: calls syscall.Syscall with number 59",
			"rawnumber: takes syscall.RawSyscall6 as a value",
			"rawnumber: uses syscall.SYS_EXECVE",
			"startprocess: uses os.StartProcess",
			"syscalls: uses syscall.Exec",
			"syscalls: uses syscall.ForkExec",
			"xsys: uses golang.org/x/sys/unix.Exec",
		}},
		{platforms[1], []string{"clean", "startprocess", "syscalls", "xsys", "assembly"}, []string{
			"assembly: enters the kernel in assembly_arm64.s",
			"startprocess: uses os.StartProcess",
			"syscalls: uses syscall.Exec",
			"syscalls: uses syscall.ForkExec",
			"xsys: uses golang.org/x/sys/unix.Exec",
		}},
		{platforms[2], []string{"clean", "startprocess", "syscalls", "xsys"}, []string{
			"startprocess: uses os.StartProcess",
			"syscalls: uses golang.org/x/sys/windows.CreateProcess",
			"syscalls: uses golang.org/x/sys/windows.ShellExecute",
			"xsys: looks up ShellExecuteExW",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.on.String(), func(t *testing.T) {
			t.Parallel()
			var patterns []string
			for _, p := range tt.pkgs {
				patterns = append(patterns, planted(p))
			}
			found, err := checkSpawnCalls(tt.on, patterns...)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				got = append(got, strings.TrimPrefix(f, "internal/archtest/testdata/planted/"))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
		})
	}
}
