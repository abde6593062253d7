//go:build unix

package scripttest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// builtVariable names a binary for a run of these tests within these tests.
const builtVariable = "USHER_SCRIPTTEST_BINARY"

// binary is the built usher, the same for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	// Scripts mostly wait for polls and for tokens to end, so many more of
	// them than there are processors can run at once. A -parallel wins.
	if err := flag.Set("test.parallel", "32"); err != nil {
		fmt.Fprintln(os.Stderr, "scripttest:", err)
		return 1
	}
	dir, err := os.MkdirTemp("", "usher-scripts-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "scripttest:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "usher")
	if built := os.Getenv(builtVariable); built != "" {
		binary = built
	} else if err := build(binary); err != nil {
		fmt.Fprintln(os.Stderr, "scripttest:", err)
		return 1
	}
	return m.Run()
}

// build builds usher as it is released: static and without paths of this
// machine.
func build(to string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-o", to}, flags...)
	cmd := exec.Command("go", append(args, "github.com/usherauth/usher/cmd/usher")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building usher: %w\n%s", err, out)
	}
	return nil
}

func TestScripts(t *testing.T) {
	t.Parallel()
	set, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.wantAllSeen(t) })
	runScripts(t, filepath.Join("testdata", "scripts"), setting{commands: commands})
}

// setting is what scripts run in.
type setting struct {
	// prepare, if it is not nil, makes the data folder before anything else
	// does; undo comes before the folder is removed.
	prepare  func(home string) (undo func(), err error)
	commands map[string]command
}

// runScripts runs each script of dir in both modes and compares what was seen.
func runScripts(t *testing.T, dir string, in setting) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no scripts in %s", dir)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			seen := map[mode]*transcript{}
			for _, m := range []mode{alone, daemon} {
				seen[m] = &transcript{}
			}
			// The group returns when the parallel tests in it have ended.
			t.Run("mode", func(t *testing.T) {
				for m, tr := range seen {
					t.Run(string(m), func(t *testing.T) {
						t.Parallel()
						runScript(t, file, m, in, tr)
					})
				}
			})
			if !t.Failed() {
				allowed, err := differences(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, problem := range compare(allowed, seen[alone], seen[daemon]) {
					t.Error(problem)
				}
			}
		})
	}
}

func runScript(t *testing.T, file string, m mode, in setting, tr *transcript) {
	testscript.Run(t, testscript.Params{
		Files: []string{file},
		Setup: func(env *testscript.Env) error { return newWorld(env, m, in.prepare, tr) },
		Condition: func(cond string) (bool, error) {
			if cond == string(daemon) || cond == string(alone) {
				return cond == string(m), nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds:               in.commands,
		RequireUniqueNames: true,
	})
}
