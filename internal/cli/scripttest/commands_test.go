//go:build unix

package scripttest

import (
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// command is a command of scripts; neg tells that it stood behind a "!".
type command = func(ts *testscript.TestScript, neg bool, args []string)

// commands are those that all scripts have beside testscript's own.
var commands = map[string]command{
	"usher":        func(ts *testscript.TestScript, neg bool, args []string) { plain(ts, neg); usher(ts, 0, args) },
	"await":        func(ts *testscript.TestScript, neg bool, args []string) { plain(ts, neg); await(ts, 0, args) },
	"exits":        exits,
	"retry":        retry,
	"signal":       signal,
	"await-output": awaitOutput,
	"await-expiry": awaitExpiry,
	"await-left":   awaitLeft,
	"set-url":      setURL,
	"daemon-stop":  func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(worldOf(ts).stopDaemon(syscall.SIGTERM)) },
	"daemon-kill":  func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(worldOf(ts).stopDaemon(syscall.SIGKILL)) },

	"sandbox":         startSandbox,
	"sandbox-down":    func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(worldOf(ts).box.down()) },
	"sandbox-up":      func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(worldOf(ts).box.up()) },
	"sandbox-approve": approve,
	"sandbox-deny":    deny,
	"sandbox-faults":  faults,
	"sandbox-expire":  expire,
	"sandbox-record":  record,
	"await-record":    awaitRecord,

	"browse":   browse,
	"redirect": redirect,
	"login-id": loginID,

	"stdout-json":       stdoutJSON,
	"file-mode":         fileMode,
	"http":              request,
	"plain-write-fails": plainWriteFails,
}

// plain refuses a negated command: a wrong exit code must be named with exits.
func plain(ts *testscript.TestScript, neg bool) {
	if neg {
		ts.Fatalf("use exits N instead of !")
	}
}

// exits runs usher or await and wants an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg)
	if len(args) < 2 {
		ts.Fatalf("usage: exits N usher|await ...")
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	switch args[1] {
	case "usher":
		usher(ts, code, args[2:])
	case "await":
		await(ts, code, args[2:])
	default:
		ts.Fatalf("usage: exits N usher|await ...")
	}
}

// usher runs the binary; a last word &NAME leaves it running under that name. A
// word <FILE puts the file on its standard input.
func usher(ts *testscript.TestScript, code int, args []string) {
	w := worldOf(ts)
	name, background := "", false
	if n := len(args); n > 0 {
		if name, background = strings.CutPrefix(args[n-1], "&"); background {
			args = args[:n-1]
		}
	}
	args, input := redirected(ts, args)
	p, err := w.startWith(input, ts.MkAbs("."), args...)
	ts.Check(err)
	if background {
		if _, used := w.named[name]; name == "" || used || code != 0 {
			ts.Fatalf("a background command needs a name of its own; its exit code is for await")
		}
		w.named[name] = p
		return
	}
	finish(ts, p, code)
}

// redirected takes the word <FILE out of args. Without one there is no input.
func redirected(ts *testscript.TestScript, args []string) ([]string, io.Reader) {
	for i, arg := range args {
		if file, ok := strings.CutPrefix(arg, "<"); ok {
			return slices.Concat(args[:i], args[i+1:]), strings.NewReader(ts.ReadFile(file))
		}
	}
	return args, nil
}

// retry runs usher until it exits 0; only that run is seen. It is for what a
// daemon asks a provider again after a pause only.
func retry(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg)
	usage(ts, len(args) > 1 && args[0] == "usher", "retry usher ARG...")
	var last *process
	ok := eventually(func() bool {
		p, err := worldOf(ts).start(ts.MkAbs("."), args[1:]...)
		ts.Check(err)
		code, err := p.wait()
		ts.Check(err)
		last = p
		return code == 0
	})
	if !ok {
		ts.Fatalf("usher %s never exited 0; the last time\nstdout: %s\nstderr: %s", strings.Join(args[1:], " "), &last.stdout, &last.stderr)
	}
	finish(ts, last, 0)
}

func await(ts *testscript.TestScript, code int, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: await NAME")
	}
	finish(ts, named(ts, args[0]), code)
	delete(worldOf(ts).named, args[0])
}

func named(ts *testscript.TestScript, name string) *process {
	p := worldOf(ts).named[name]
	if p == nil {
		ts.Fatalf("nothing named %s is running", name)
	}
	return p
}

// finish waits for p, shows its output to the script and keeps it for the
// comparison of the modes.
func finish(ts *testscript.TestScript, p *process, want int) {
	code, err := p.wait()
	ts.Check(err)
	io.WriteString(ts.Stdout(), p.stdout.String())
	io.WriteString(ts.Stderr(), p.stderr.String())
	worldOf(ts).seen.add(p, code)
	if code != want {
		ts.Fatalf("usher %s: got exit code %d, want %d\nstdout: %s\nstderr: %s",
			strings.Join(p.args, " "), code, want, &p.stdout, &p.stderr)
	}
}

func signal(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: signal TERM|INT|KILL NAME")
	}
	s, ok := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL, "HUP": syscall.SIGHUP}[args[0]]
	if !ok {
		ts.Fatalf("unknown signal %s", args[0])
	}
	ts.Check(named(ts, args[1]).signal(s))
}

func awaitOutput(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: await-output NAME REGEXP")
	}
	p, re := named(ts, args[0]), regexp.MustCompile(args[1])
	matches := func() bool { return re.MatchString(p.stdout.String()) || re.MatchString(p.stderr.String()) }
	if !eventually(func() bool { return matches() || p.ended() }) || !matches() {
		ts.Fatalf("no match for %s\nstdout: %s\nstderr: %s", re, &p.stdout, &p.stderr)
	}
}

// awaitExpiry waits until the access token of a key has ended. It is shown in
// whole seconds, so it may live for almost one longer.
func awaitExpiry(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, len(args) == 1, "await-expiry KEY")
	awaitTime(ts, expiry(ts, args[0]).Add(time.Second))
}

// awaitLeft waits until the access token of a key has at most so much life.
func awaitLeft(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, len(args) == 2, "await-left KEY DURATION")
	left, err := time.ParseDuration(args[1])
	ts.Check(err)
	awaitTime(ts, expiry(ts, args[0]).Add(-left))
}

// expiry is the end of a token as usher itself tells it.
func expiry(ts *testscript.TestScript, key string) time.Time {
	p, err := worldOf(ts).start(ts.MkAbs("."), "status", key, "--json")
	ts.Check(err)
	_, err = p.wait()
	ts.Check(err)
	var status struct {
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(p.stdout.String()), &status); err != nil || status.ExpiresAt.IsZero() {
		ts.Fatalf("no expires_at in the status: %v\nstdout: %s\nstderr: %s", err, &p.stdout, &p.stderr)
	}
	return status.ExpiresAt
}

func awaitTime(ts *testscript.TestScript, end time.Time) {
	if !eventually(func() bool { return time.Now().After(end) }) {
		ts.Fatalf("%s is too late to wait for", end)
	}
}

var loopbackURL = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// setURL sets $URL to the address that a server printed.
func setURL(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, len(args) == 1, "set-url NAME")
	p := named(ts, args[0])
	url := loopbackURL.FindString(p.stdout.String() + p.stderr.String())
	if url == "" {
		ts.Fatalf("%s printed no address\nstdout: %s\nstderr: %s", args[0], &p.stdout, &p.stderr)
	}
	ts.Setenv("URL", url)
}

func usage(ts *testscript.TestScript, ok bool, words string) {
	if !ok {
		ts.Fatalf("usage: %s", words)
	}
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

// counted are the endpoints of the record; one that nobody called is not in it.
var counted = []string{
	"discovery", "jwks", "device", "authorize", "token", "token.device", "token.code", "token.refresh",
	"revoke", "userinfo", "resource",
}

func mustBeKnown(ts *testscript.TestScript, numbers map[string]int, field string) {
	if _, ok := numbers[field]; !ok && !slices.Contains(counted, field) {
		ts.Fatalf("the record has no %s: %v", field, numbers)
	}
}
