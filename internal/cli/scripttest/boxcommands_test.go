//go:build unix

package scripttest

import (
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/usherauth/usher/sandbox"
)

func startSandbox(ts *testscript.TestScript, _ bool, args []string) {
	cfg, err := configure(args, func(name string) []byte { return []byte(ts.ReadFile(name)) })
	ts.Check(err)
	b := worldOf(ts).box
	if b.sandbox != nil {
		ts.Fatalf("the sandbox is running")
	}
	ts.Check(b.open(cfg))
	ts.Setenv("SANDBOX", b.sandbox.Issuer())
}

// userCode is the form of the sandbox's user codes.
var userCode = regexp.MustCompile(`\b[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}\b`)

// newestCode is the user code that the newest process with one printed. A
// process that still runs may be about to print it.
func newestCode(ts *testscript.TestScript) string {
	w, code := worldOf(ts), ""
	find := func() bool {
		for i := len(w.procs) - 1; i >= 0; i-- {
			p := w.procs[i]
			if p == w.daemon {
				continue
			}
			running := !p.ended()
			code = userCode.FindString(p.stdout.String() + p.stderr.String())
			if code != "" || running {
				return code != ""
			}
		}
		return true
	}
	if !eventually(find) || code == "" {
		ts.Fatalf("no user code was printed")
	}
	return code
}

func approve(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, len(args) <= 1, "sandbox-approve [SUBJECT]")
	ts.Check(worldOf(ts).box.sandbox.Approve(newestCode(ts), strings.Join(args, "")))
}

func deny(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, len(args) == 0, "sandbox-deny")
	ts.Check(worldOf(ts).box.sandbox.Deny(newestCode(ts)))
}

func faults(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, len(args) == 1, "sandbox-faults FILE|none")
	var plan sandbox.Faults
	if args[0] != "none" {
		var err error
		plan, err = sandbox.ParseFaults([]byte(ts.ReadFile(args[0])))
		ts.Check(err)
	}
	ts.Check(worldOf(ts).box.sandbox.SetFaults(plan))
}

func expire(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, len(args) > 0, "sandbox-expire access|device|refresh...")
	s := worldOf(ts).box.sandbox
	for _, what := range args {
		switch what {
		case "access":
			s.ExpireAccessTokens()
		case "device":
			s.ExpireDeviceCodes()
		case "refresh":
			s.ExpireRefreshTokens()
		default:
			ts.Fatalf("cannot expire %s", what)
		}
	}
}

func record(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg)
	usage(ts, len(args) == 2, "sandbox-record FIELD N")
	numbers := worldOf(ts).box.numbers()
	mustBeKnown(ts, numbers, args[0])
	if got, want := numbers[args[0]], number(ts, args[1]); got != want {
		ts.Fatalf("%s in the record: got %d, want %d\nall: %v", args[0], got, want, numbers)
	}
}

func awaitRecord(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg)
	usage(ts, len(args) == 2, "await-record FIELD N")
	b := worldOf(ts).box
	mustBeKnown(ts, b.numbers(), args[0])
	want := number(ts, args[1])
	if !eventually(func() bool { return b.numbers()[args[0]] >= want }) {
		ts.Fatalf("%s in the record: got %d, want %d or more", args[0], b.numbers()[args[0]], want)
	}
}
