//go:build !nowinner

package broker_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// byOtherMeans are the races that something else decides than the winner check:
// they end well without it.
var byOtherMeans = map[string]string{
	"TestRaceTwoStarts/at_one_daemon,_while_the_provider_is_asked":  "the registry shares the start in flight",
	"TestRaceTwoStarts/at_one_daemon,_before_the_provider_is_asked": "the registry shares the start in flight",
}

// TestWinnerCheckBites runs the tests of races in a build where everybody wins,
// and wants each of them to fail, in each order.
func TestWinnerCheckBites(t *testing.T) {
	t.Parallel()
	results := runWithoutWinnerCheck(t)
	for _, race := range []string{
		"TestRaceSweepAgainstPoll", "TestRaceCancelAgainstPersist", "TestRaceTwoStarts",
		"TestRaceStopAgainstPersist", "TestRaceTakeOverAgainstExpiry", "TestRaceLogoutAgainstPersist",
	} {
		if results[race] != "fail" {
			t.Errorf("%s: %q, want fail", race, results[race])
		}
	}
	for order, result := range results {
		want := "fail"
		if byOtherMeans[order] != "" {
			want = "pass"
		}
		if result != want {
			t.Errorf("%s: %q, want %s", order, result, want)
		}
	}
	for order, means := range byOtherMeans {
		if results[order] == "" {
			t.Errorf("%s, where %s, did not run", order, means)
		}
	}
}

// runWithoutWinnerCheck returns what became of each test that was begun.
func runWithoutWinnerCheck(t *testing.T) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", "-vet=off", "-tags=nowinner", "-run=^TestRace", "-timeout=2m", ".")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	results := map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var e struct{ Action, Test, Output string }
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v\n%s\n%s", err, out, stderr.Bytes())
		}
		switch {
		case e.Action == "output" && strings.HasPrefix(e.Output, "panic:"):
			// It would end the other tests, too.
			t.Errorf("%s panics: %s", e.Test, e.Output)
		case e.Test == "":
		case e.Action == "run", e.Action == "pass", e.Action == "fail", e.Action == "skip":
			results[e.Test] = e.Action
		}
	}
	if len(results) == 0 {
		t.Fatalf("nothing ran\n%s\n%s", out, stderr.Bytes())
	}
	return results
}
