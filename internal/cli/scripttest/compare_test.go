//go:build unix

package scripttest

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/usherauth/usher/sandbox"
)

// transcript is what a user saw in one run, and what its sandbox saw.
type transcript struct {
	ran    []outcome
	box    *box
	places []place
	ending error    // how the daemon ended, if it did not end well
	odd    []string // JSON that is not as docs/schemas says
}

// outcome is one command of usher and what came of it.
type outcome struct {
	Command        string
	Exit           int
	Stdout, Stderr string
}

// place is a path that differs between runs, and the name it is compared by.
type place struct{ path, name string }

func (tr *transcript) add(p *process, code int) {
	tr.ran = append(tr.ran, outcome{strings.Join(p.args, " "), code, p.stdout.String(), p.stderr.String()})
}

// discoveryIsCached is the one difference that every script may have: a daemon
// keeps the answer of discovery, a process of its own asks each time.
const discoveryIsCached = "discovery"

// compare returns a text for every difference that is not allowed.
func compare(allowed map[string]string, alone, daemon *transcript) (problems []string) {
	if daemon.ending != nil {
		problems = append(problems, daemon.ending.Error())
	}
	problems = append(problems, alone.odd...)
	problems = append(problems, daemon.odd...)
	a, d := alone.normal(allowed), daemon.normal(allowed)
	if len(a) == 0 {
		problems = append(problems, "the script ran no command")
	}
	if diff := cmp.Diff(a, d); diff != "" {
		problems = append(problems, "commands without (-) and with (+) a daemon:\n"+diff)
	}
	numbers := [2]map[string]int{alone.box.numbers(), daemon.box.numbers()}
	for name := range allowed {
		if !applies(name, append(a, d...), numbers) {
			problems = append(problems, "the script does nothing that is called "+name+", yet declares it to differ")
		}
	}
	for _, n := range numbers {
		delete(n, discoveryIsCached)
		for name := range allowed {
			if field, ok := strings.CutPrefix(name, "record "); ok {
				delete(n, field)
			}
		}
	}
	if diff := cmp.Diff(numbers[0], numbers[1]); diff != "" {
		problems = append(problems, "the sandbox's record without (-) and with (+) a daemon:\n"+diff)
	}
	return problems
}

// applies reports whether a declared difference names something that was seen.
func applies(name string, ran []outcome, numbers [2]map[string]int) bool {
	kind, what, _ := strings.Cut(name, " ")
	if kind == "record" {
		_, without := numbers[0][what]
		_, with := numbers[1][what]
		return without || with
	}
	return (kind == "stdout" || kind == "stderr") &&
		slices.ContainsFunc(ran, func(o outcome) bool { return o.Command == what })
}

// differences reads what a script declares: what differs -> why.
func differences(file string) (map[string]string, error) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		return nil, err
	}
	allowed := map[string]string{}
	for _, f := range archive.Files {
		if f.Name != "differences" {
			continue
		}
		for line := range strings.Lines(string(f.Data)) {
			what, why, ok := strings.Cut(strings.TrimSpace(line), ": ")
			if !ok || why == "" {
				return nil, fmt.Errorf("%s: difference %q names no reason", file, line)
			}
			allowed[what] = why
		}
	}
	return allowed, nil
}

// normal is the transcript with everything that is random or depends on the
// moment replaced by its kind and a number, so that "the same token again" and
// "another token" stay different things.
func (tr *transcript) normal(allowed map[string]string) []outcome {
	n := normaliser{places: tr.places, numbers: map[string]int{}, counts: map[string]int{}}
	if tr.box.sandbox != nil {
		n.places = append([]place{
			{tr.box.sandbox.Issuer(), "$SANDBOX"}, {strings.TrimPrefix(tr.box.sandbox.Issuer(), "http://"), "$SANDBOX"},
		}, n.places...)
	}
	var out []outcome
	for _, o := range tr.ran {
		o = outcome{n.text(o.Command), o.Exit, n.text(o.Stdout), n.text(o.Stderr)}
		if _, ok := allowed["stdout "+o.Command]; ok {
			o.Stdout = ""
		}
		if _, ok := allowed["stderr "+o.Command]; ok {
			o.Stderr = ""
		}
		out = append(out, o)
	}
	return out
}

// momentary is what a command says only when something takes long, and when the
// provider is asked, which nobody but who asks can tell.
var momentary = regexp.MustCompile(`(?m)^usher: waiting for an answer of the provider .*\n|,"(last_polled|next_poll)_at":"[^"]*"`)

type normaliser struct {
	places  []place
	numbers map[string]int // value -> its number among those of its kind
	counts  map[string]int // kind -> values seen
}

// varying are the kinds of values that differ from run to run.
var varying = []struct {
	kind     string
	form     *regexp.Regexp
	numbered bool
}{
	{"TIME", regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), false},
	{"EXPIRY", regexp.MustCompile(`\bpassword_expiry_utc=\d+`), false},
	{"TIME", regexp.MustCompile(`%22\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\dZ`), false}, // in a link
	{"STATE", regexp.MustCompile(`state=[A-Za-z0-9_-]{43}`), true},
	{"CHALLENGE", regexp.MustCompile(`code_challenge=[A-Za-z0-9_-]{43}`), true},
	{"TOKEN", regexp.MustCompile(`\b(at|rt|gho|ghr|ghu)_[A-Za-z0-9_-]{8,}`), true},
	{"ID", regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), true},
	{"ID", regexp.MustCompile(`\b[0-9a-f]{32}\b`), true},
	{"TEMP", regexp.MustCompile(`\.usher-[A-Z0-9]{26}\.tmp\b`), false},
	{"CODE", userCode, true},
	{"ALIAS", regexp.MustCompile(`\bacct-[a-z0-9]{6}\b`), true},
	{"PORT", regexp.MustCompile(`(\b|%2F)(127\.0\.0\.1|localhost)(:|%3A)\d+|\bport \d+`), false},
	// One that lasts a second has ended by the time that a busy machine tells of it.
	{"LIFE", regexp.MustCompile(`\bthe token (has ended|lasts \d+ seconds?)\b`), false},
	{"SPAN", regexp.MustCompile(`\b\d+ ?(s|sec|seconds?|m|min|minutes?|h|hours?)\b( \d+ ?(s|sec|seconds?|m|min|minutes?)\b)?`), false},
	{"SIZE", regexp.MustCompile(`\b\d+ bytes\b`), false}, // of what was to be stored: tokens and times differ
	{"CLOCK", regexp.MustCompile(`\b\d+:\d\d\b`), false},
}

func (n *normaliser) text(s string) string {
	s = momentary.ReplaceAllString(s, "")
	for _, p := range n.places {
		s = strings.ReplaceAll(s, p.path, p.name)
	}
	for _, v := range varying {
		s = v.form.ReplaceAllStringFunc(s, func(value string) string {
			if !v.numbered {
				return "<" + v.kind + ">"
			}
			if n.numbers[value] == 0 {
				n.counts[v.kind]++
				n.numbers[value] = n.counts[v.kind]
			}
			return fmt.Sprintf("<%s %d>", v.kind, n.numbers[value])
		})
	}
	return s
}

func TestCompareBites(t *testing.T) {
	const token = "at_0123456789"
	of := func(ran ...outcome) *transcript {
		return &transcript{ran: ran, box: &box{}, places: []place{{"/tmp/us1", "$BASE"}, {"/tmp/us2", "$BASE"}}}
	}
	base := outcome{"token box", 0, token + "\n", "in /tmp/us1\n"}
	for _, test := range []struct {
		name    string
		other   *transcript
		allowed map[string]string
		want    int
	}{
		{"same", of(base, base), nil, 0},
		{"another folder and token", of(outcome{"token box", 0, "at_9876543210\n", "in /tmp/us2\n"}, outcome{"token box", 0, "at_9876543210\n", "in /tmp/us2\n"}), nil, 0},
		{"two tokens where there was one", of(base, outcome{"token box", 0, "at_9876543210\n", "in /tmp/us1\n"}), nil, 1},
		{"another exit code", of(base, outcome{"token box", 1, token + "\n", "in /tmp/us1\n"}), nil, 1},
		{"another stderr", of(base, outcome{"token box", 0, token + "\n", "on /tmp/us1\n"}), nil, 1},
		{"another stderr, allowed", of(base, outcome{"token box", 0, token + "\n", "on /tmp/us1\n"}), map[string]string{"stderr token box": "why"}, 0},
		{"another stdout, stderr allowed", of(base, outcome{"token box", 0, "", "in /tmp/us1\n"}), map[string]string{"stderr token box": "why"}, 1},
		{"a line that says why it takes long", of(base, outcome{"token box", 0, token + "\n", "usher: waiting for an answer of the provider that is slow\nin /tmp/us1\n"}), nil, 0},
		{"a poll seen", of(base, outcome{"token box", 0, token + "\n", `,"next_poll_at":"2026-11-21T12:00:00Z"` + "in /tmp/us1\n"}), nil, 0},
		{"a difference of a command that did not run", of(base, base), map[string]string{"stderr token bax": "why"}, 1},
		{"a difference of nothing that can differ", of(base, base), map[string]string{"token box": "why"}, 1},
		{"a difference of a number that is not there", of(base, base), map[string]string{"record token.refresh": "why"}, 1},
		{"a command less", of(base), nil, 1},
		{"nothing ran", of(), nil, 1},
	} {
		if got := compare(test.allowed, of(base, base), test.other); len(got) != test.want {
			t.Errorf("%s: got %d problems, want %d: %q", test.name, len(got), test.want, got)
		}
	}
	crashed := of(base, base)
	crashed.ending = errors.New("the daemon ended with exit code 2")
	if got := compare(nil, of(base, base), crashed); len(got) != 1 {
		t.Errorf("a daemon that crashed: got %q", got)
	}
	lasts, ended := outcome{Command: "login box", Stderr: "the token lasts 1 second and renews itself"}, outcome{Command: "login box", Stderr: "the token has ended and renews itself"}
	if got := compare(nil, of(lasts), of(ended)); len(got) != 0 {
		t.Errorf("a token that has just ended: got %q", got)
	}
	if got := compare(nil, of(), of()); len(got) != 1 {
		t.Errorf("a script without commands: got %q", got)
	}
}

func TestCompareBitesOnTheRecord(t *testing.T) {
	boxes := [2]*box{{}, {}}
	for _, b := range boxes {
		if err := b.open(sandbox.Config{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.close)
	}
	res, err := http.Get(boxes[0].sandbox.URL("/resource"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	ran := []outcome{{Command: "status"}}
	one, two := &transcript{ran: ran, box: boxes[0]}, &transcript{ran: ran, box: boxes[1]}
	if got := compare(nil, one, two); len(got) != 1 {
		t.Errorf("one request more: got %q", got)
	}
	if got := compare(map[string]string{"record resource": "why"}, one, two); got != nil {
		t.Errorf("one request more, allowed: got %q", got)
	}
}
