package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// daemonPackages are what the daemon consists of; what they import follows.
var daemonPackages = []string{"oauth", "credential/filestore", "login", "token", "broker", "server"}

// platforms are the operating systems and architectures that the daemon is
// checked for.
var platforms = []platform{{"linux", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}}

type platform struct{ goos, goarch string }

func (p platform) String() string { return p.goos + "/" + p.goarch }

// spawners are packages, and folders of packages, whose purpose is to start
// programs or to open a browser, or that are known to do it on some platform
// behind another purpose.
var spawners = []string{
	"os/exec",
	"plugin",
	"golang.org/x/sys/execabs",
	"github.com/cli/browser",
	"github.com/cli/safeexec",
	"github.com/pkg/browser",
	"github.com/toqueteos/webbrowser",
	"github.com/skratchdot/open-golang",
	"github.com/icza/gox/osx",
	"github.com/zalando/go-keyring",
	"github.com/99designs/keyring",
	"github.com/godbus/dbus",
	"github.com/atotto/clipboard",
	"github.com/joho/godotenv",
	"github.com/creack/pty",
}

// A listed package is what go list -json says of it.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	CgoFiles   []string
	SFiles     []string
	ImportMap  map[string]string
	Standard   bool
	DepOnly    bool
}

// goList lists the packages named and all they import for a platform, each
// after the packages it imports.
func goList(p platform, patterns ...string) ([]listed, error) {
	cmd := exec.Command("go", append([]string{"list", "-deps",
		"-json=ImportPath,Dir,GoFiles,CgoFiles,SFiles,ImportMap,Standard,DepOnly"}, patterns...)...)
	cmd.Dir = root
	// Without cgo, as the daemon is built.
	cmd.Env = append(os.Environ(), "GOOS="+p.goos, "GOARCH="+p.goarch, "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing %v for %v: %w\n%s", patterns, p, err, stderr.String())
	}
	var pkgs []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return pkgs, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading go list: %w", err)
		}
		pkgs = append(pkgs, l)
	}
}

// findSpawners returns the import paths among paths that must not be linked
// into the daemon.
func findSpawners(paths []string) []string {
	var bad []string
	for _, p := range paths {
		if slices.ContainsFunc(spawners, func(s string) bool { return p == s || strings.HasPrefix(p, s+"/") }) {
			bad = append(bad, p)
		}
	}
	return bad
}

func importPaths(pkgs []listed) []string {
	var paths []string
	for _, p := range pkgs {
		paths = append(paths, p.ImportPath)
	}
	return paths
}

// daemonPatterns returns the daemon's packages, all of which must be there:
// one that was renamed must not slip out of the checks.
func daemonPatterns(t *testing.T) []string {
	t.Helper()
	var patterns []string
	for _, p := range daemonPackages {
		if files, _ := filepath.Glob(filepath.Join(root, p, "*.go")); len(files) == 0 {
			t.Fatalf("the daemon's package %s is not in the tree", p)
		}
		patterns = append(patterns, "./"+p)
	}
	return patterns
}

func TestDaemonImportsNothingThatStartsProcesses(t *testing.T) {
	for _, p := range platforms {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			pkgs, err := goList(p, daemonPatterns(t)...)
			if err != nil {
				t.Fatal(err)
			}
			if bad := findSpawners(importPaths(pkgs)); len(bad) > 0 {
				t.Errorf("the daemon links %v", bad)
			}
		})
	}
}

func TestImportCheckBites(t *testing.T) {
	t.Run("on a package that imports os/exec two steps away", func(t *testing.T) {
		for _, p := range platforms {
			pkgs, err := goList(p, planted("osexec"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"os/exec"}, findSpawners(importPaths(pkgs))); diff != "" {
				t.Errorf("%v (-want +got):\n%s", p, diff)
			}
		}
	})
	t.Run("on openers and plugins by name, and on nothing else", func(t *testing.T) {
		got := findSpawners([]string{"os", "plugin", "github.com/cli/browser", "github.com/godbus/dbus/v5", "github.com/cli/oauth", "os/signal"})
		want := []string{"plugin", "github.com/cli/browser", "github.com/godbus/dbus/v5"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// planted returns the pattern of a package under testdata that breaks a rule.
func planted(name string) string { return "./internal/archtest/testdata/planted/" + name }
