package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSummaryOfEvents(t *testing.T) {
	tests := []struct {
		name    string
		events  string
		allowed skipList
		good    bool
		want    []string // in the output, in this order; the last one is the last line
	}{
		{
			name: "passes and subtests count",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/b"}
{"Action":"pass","Package":"p","Test":"TestA/b"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":1.5}`,
			good: true,
			want: []string{"ok    p (1.5s)\n", "2 passed, 0 failed, 0 skipped\n"},
		},
		{
			name: "a failure shows its output",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"got 1, want 2\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
			want: []string{"--- FAIL: p TestA", "    got 1, want 2\n", "FAIL  p", "failed: p TestA\n", "0 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "a package that does not compile is one failure with the compiler's words",
			events: `{"ImportPath":"p [p.test]","Action":"build-output","Output":"x.go:1: undefined: y\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
			want: []string{"    x.go:1: undefined: y\n", "failed: p\n", "0 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "a test cut off by a panic or a time-out failed",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"panic: test timed out\n"}
{"Action":"fail","Package":"p"}`,
			want: []string{"the test did not end", "panic: test timed out", "0 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "a benchmark that failed shows its output, and those before it did end",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"BenchmarkA"}
{"Action":"run","Package":"p","Test":"BenchmarkA/b"}
{"Action":"run","Package":"p","Test":"BenchmarkC"}
{"Action":"output","Package":"p","Test":"BenchmarkC","Output":"panic: no\n"}
{"Action":"fail","Package":"p"}`,
			want: []string{"--- FAIL: p BenchmarkC", "    panic: no\n", "the test did not end", "failed: p BenchmarkC\n", "1 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "a skip outside the list fails the run",
			events: `{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"skip","Package":"p","Test":"TestA"}`,
			want: []string{"skipped: p TestA (not in the list of allowed skips)\n", "1 passed, 0 failed, 1 skipped\n"},
		},
		{
			name: "a skip in the list is named and passes",
			events: `{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"skip","Package":"p","Test":"TestA"}`,
			allowed: skipList{{"p", "TestA"}: "no kernel support"},
			good:    true,
			want:    []string{"skipped: p TestA (no kernel support)\n", "1 passed, 0 failed, 1 skipped\n"},
		},
		{
			name:   "no test at all fails the run",
			events: `{"Action":"skip","Package":"p"}`,
			want:   []string{"failed: no test ran\n", "0 passed, 0 failed, 0 skipped\n"},
		},
		{
			name:    "skips alone are no run",
			events:  `{"Action":"skip","Package":"p","Test":"TestA"}`,
			allowed: skipList{{"p", "TestA"}: "reason"},
			want:    []string{"failed: no test ran\n", "0 passed, 0 failed, 1 skipped\n"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			tl := newTally(&out)
			if err := readEvents(strings.NewReader(tt.events), tl); err != nil {
				t.Fatal(err)
			}
			if got := tl.summary(tt.allowed); got != tt.good {
				t.Errorf("summary = %v, want %v", got, tt.good)
			}
			rest := out.String()
			for _, w := range tt.want {
				i := strings.Index(rest, w)
				if i < 0 {
					t.Fatalf("output lacks %q after what came before it:\n%s", w, out.String())
				}
				rest = rest[i+len(w):]
			}
			if rest != "" {
				t.Errorf("output goes on after the closing line: %q", rest)
			}
		})
	}
}

func TestReadEventsRefusesForeignLines(t *testing.T) {
	if err := readEvents(strings.NewReader("FAIL\tp [build failed]\n"), newTally(&strings.Builder{})); err == nil {
		t.Error("a line that is no event was accepted")
	}
}

// TestGoTestRunsRealModules drives the go command over modules written here.
func TestGoTestRunsRealModules(t *testing.T) {
	tests := []struct {
		name, file     string
		passed, failed int
	}{
		{"passing", "package m\nimport \"testing\"\nfunc TestA(t *testing.T) {}\n", 1, 0},
		{"failing", "package m\nimport \"testing\"\nfunc TestA(t *testing.T) { t.Error(\"no\") }\n", 0, 1},
		{"not compiling", "package m\nimport \"testing\"\nfunc TestA(t *testing.T) { undefined() }\n", 0, 1},
		{"exiting early", "package m\nimport (\"os\"; \"testing\")\nfunc TestA(t *testing.T) { os.Exit(3) }\n", 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "go.mod"), "module m\n\ngo 1.26.0\n")
			write(t, filepath.Join(dir, "m_test.go"), tt.file)
			var out strings.Builder
			tl := newTally(&out)
			if err := goTest(tl, dir, nil); err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			if tl.passed != tt.passed || tl.failed != tt.failed {
				t.Errorf("got %d passed, %d failed, want %d and %d\n%s", tl.passed, tl.failed, tt.passed, tt.failed, out.String())
			}
		})
	}
}

func TestGoTestReportsABrokenModule(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "not a module file\n")
	if err := goTest(newTally(&strings.Builder{}), dir, nil); err == nil {
		t.Error("a module that cannot be loaded was no error")
	}
}

func TestLoadSkips(t *testing.T) {
	name := filepath.Join(t.TempDir(), "skips")
	write(t, name, "# comment\n\nexample.com/p TestA/b needs a tape drive\n")
	got, err := loadSkips(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[testID{"example.com/p", "TestA/b"}] != "needs a tape drive" {
		t.Errorf("got %v", got)
	}
	write(t, name, "example.com/p TestA\n")
	if _, err := loadSkips(name); err == nil {
		t.Error("an entry without a reason was accepted")
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
