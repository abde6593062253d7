//go:build unix

package scripttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// stdoutJSON asserts a member of the JSON on stdout, as stdout-json [LINE:]PATH
// [VALUE]. LINE counts from 1, or from the end with a minus; without it stdout
// is one value. PATH is names and indices with dots between them; "length" is the
// length of a list. Without a VALUE the member must be there, and with ! it
// must not, or must be another.
func stdoutJSON(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 1 || len(args) == 2, "stdout-json [LINE:]PATH [VALUE]")
	text, path := ts.ReadFile("stdout"), args[0]
	if line, rest, ok := strings.Cut(path, ":"); ok {
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		n := number(ts, line)
		if n < 0 {
			n += len(lines) + 1
		}
		if n < 1 || n > len(lines) {
			ts.Fatalf("stdout has %d lines", len(lines))
		}
		text, path = lines[n-1], rest
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		ts.Fatalf("stdout is not JSON: %v\n%s", err, text)
	}
	got, there := member(value, path)
	switch {
	case len(args) == 1 && there == neg:
		ts.Fatalf("%s: got %q (there: %v)", path, got, there)
	case len(args) == 2 && (there && got == args[1]) == neg:
		ts.Fatalf("%s: got %q (there: %v), want %q (unless negated)", path, got, there, args[1])
	}
}

// member is the text of a member of a JSON value.
func member(value any, path string) (text string, there bool) {
	for name := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value, there = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			switch {
			case name == "length":
				value, there = float64(len(v)), true
			case err != nil || i < 0 || i >= len(v):
				return "", false
			default:
				value, there = v[i], true
			}
		default:
			return "", false
		}
		if !there {
			return "", false
		}
	}
	if s, ok := value.(string); ok {
		return s, true
	}
	out, err := json.Marshal(value)
	return string(out), err == nil
}

func fileMode(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg)
	usage(ts, len(args) == 2, "file-mode MODE FILE")
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s: got mode %s, want %s", args[1], got, args[0])
	}
}

// request makes an HTTP request, wants a status, and shows the body as stdout.
func request(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg)
	usage(ts, len(args) >= 3 && len(args) <= 5, "http STATUS METHOD URL [bearer=TOKEN|bearer-file=FILE] [BODY]")
	body, bearer := "", ""
	for _, arg := range args[3:] {
		if token, ok := strings.CutPrefix(arg, "bearer="); ok {
			bearer = token
		} else if file, ok := strings.CutPrefix(arg, "bearer-file="); ok {
			bearer = strings.TrimSpace(ts.ReadFile(file))
		} else {
			body = arg
		}
	}
	r, err := http.NewRequest(args[1], args[2], strings.NewReader(body))
	ts.Check(err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	client := http.Client{Timeout: patience}
	res, err := client.Do(r)
	ts.Check(err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	ts.Check(err)
	ts.Stdout().Write(answer)
	ts.Stderr()
	if want := number(ts, args[0]); res.StatusCode != want {
		ts.Fatalf("%s %s: got status %d, want %d\n%s", args[1], args[2], res.StatusCode, want, answer)
	}
}

// plainWriteFails asserts what a test of a failing store relies on: that a plain
// write fails there, for whoever runs the test.
func plainWriteFails(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg)
	usage(ts, len(args) == 1, "plain-write-fails DIR")
	if err := plainWrite(ts.MkAbs(args[0])); err == nil {
		ts.Fatalf("a plain write to %s succeeds, so the script would prove nothing", args[0])
	} else {
		ts.Logf("a plain write fails: %v", err)
	}
}

// plainWrite writes a page and removes it again.
func plainWrite(dir string) error {
	name := filepath.Join(dir, "plain-write")
	err := os.WriteFile(name, make([]byte, 4096), 0o600)
	if rm := os.Remove(name); rm != nil && !errors.Is(rm, os.ErrNotExist) && err == nil {
		err = rm
	}
	return err
}
