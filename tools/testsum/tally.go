package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// An event is one line of go test -json (see go doc test2json). Build events
// carry ImportPath, test events carry Package.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	FailedBuild string
	Elapsed     float64
}

// A testID names one test of one package.
type testID struct{ pkg, test string }

func (id testID) String() string { return id.pkg + " " + id.test }

// A tally adds up the events of a run and prints a line per package and the
// output of what failed as it goes.
type tally struct {
	w                       io.Writer
	passed, failed, skipped int

	output map[testID]*strings.Builder // test or package ("" as test) -> its output until it ends
	open   map[testID]bool             // tests that started and have not ended
	bad    map[string]int              // package -> failed tests
	builds map[string]*strings.Builder // import path -> compiler output
	skips  []testID
	fails  []string // what to repeat in the summary
}

func newTally(w io.Writer) *tally {
	return &tally{
		w:      w,
		output: map[testID]*strings.Builder{},
		open:   map[testID]bool{},
		bad:    map[string]int{},
		builds: map[string]*strings.Builder{},
	}
}

// add takes in one event.
func (t *tally) add(e event) {
	id := testID{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		appendTo(t.builds, e.ImportPath, e.Output)
	case "output":
		appendTo(t.output, id, e.Output)
	case "run":
		t.endBenchmarks(id)
		t.open[id] = true
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.endPackage(e)
			return
		}
		t.endTest(id, e)
	}
}

// endBenchmarks notes the end of the benchmarks before next, which is one: they
// say when they begin, and when they fail, but not when they are through.
func (t *tally) endBenchmarks(next testID) {
	for o := range t.open {
		if o.pkg == next.pkg && strings.HasPrefix(o.test, "Benchmark") && !strings.HasPrefix(next.test, o.test+"/") {
			delete(t.open, o)
			delete(t.output, o)
		}
	}
}

func (t *tally) endTest(id testID, e event) {
	delete(t.open, id)
	switch e.Action {
	case "pass":
		t.passed++
	case "skip":
		t.skipped++
		t.skips = append(t.skips, id)
	case "fail":
		t.fail(id, e.Elapsed)
	}
	delete(t.output, id)
}

func (t *tally) fail(id testID, elapsed float64) {
	t.failed++
	t.bad[id.pkg]++
	t.fails = append(t.fails, id.String())
	fmt.Fprintf(t.w, "--- FAIL: %s (%.2fs)\n%s", id, elapsed, indent(t.output[id]))
}

func (t *tally) endPackage(e event) {
	id := testID{pkg: e.Package}
	defer delete(t.output, id)
	switch e.Action {
	case "skip": // no test files: not a skipped test
		return
	case "pass":
		fmt.Fprintf(t.w, "ok    %s (%.1fs)\n", e.Package, e.Elapsed)
		return
	}
	// A time-out, a panic or os.Exit ends the process with tests still open.
	for _, o := range slices.SortedFunc(maps.Keys(t.open), compareIDs) {
		if o.pkg == e.Package {
			appendTo(t.output, o, "the test did not end\n")
			t.fail(o, 0)
			delete(t.open, o)
		}
	}
	if t.bad[e.Package] == 0 {
		t.failed++
		t.fails = append(t.fails, e.Package)
		fmt.Fprint(t.w, indent(t.builds[e.FailedBuild]))
	}
	fmt.Fprint(t.w, indent(t.output[id]))
	fmt.Fprintf(t.w, "FAIL  %s (%.1fs)\n", e.Package, e.Elapsed)
}

// summary prints what was skipped and what failed and ends with the counts. It
// reports whether the run is good.
func (t *tally) summary(allowed skipList) bool {
	good := t.failed == 0
	for _, id := range t.skips {
		reason, ok := allowed[id]
		if !ok {
			good = false
			reason = "not in the list of allowed skips"
		}
		fmt.Fprintf(t.w, "skipped: %s (%s)\n", id, reason)
	}
	for _, f := range t.fails {
		fmt.Fprintf(t.w, "failed: %s\n", f)
	}
	if t.passed+t.failed == 0 {
		good = false
		fmt.Fprintln(t.w, "failed: no test ran")
	}
	fmt.Fprintf(t.w, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	return good
}

func compareIDs(a, b testID) int { return strings.Compare(a.String(), b.String()) }

func appendTo[K comparable](m map[K]*strings.Builder, k K, s string) {
	if m[k] == nil {
		m[k] = &strings.Builder{}
	}
	m[k].WriteString(s)
}

// indent returns the text set off by four blanks, or "".
func indent(b *strings.Builder) string {
	if b == nil || b.Len() == 0 {
		return ""
	}
	text := strings.TrimSuffix(b.String(), "\n")
	return "    " + strings.ReplaceAll(text, "\n", "\n    ") + "\n"
}
