package e2e

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestRefreshIsDurableBeforeUse reads from a trace of the released program that
// a refresh does things in the only order that loses nothing, and shows that the
// trace without any one of the calls which make something durable would not do.
func TestRefreshIsDurableBeforeUse(t *testing.T) {
	t.Parallel()
	s := newStock(t, 1)
	file := filepath.Join(s.base, "trace")
	argv := []string{
		"-f", "-y", "-qq", "-s", "200", "-o", file,
		"-e", "trace=read,write,pwrite64,fsync,fdatasync,ftruncate,fallocate,renameat,renameat2,linkat,mkdirat,unlinkat,flock,connect",
		binary, "token", s.keys[0],
	}
	if e := s.run(s.command(s.keys[0], "strace", argv...)); e.code != exitOK {
		t.Fatalf("a refresh that is traced: %v", e)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	calls, err := readCalls(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := inOrder(calls); err != nil {
		t.Fatalf("%v, in the trace:\n%s", err, text)
	}
	left := make(map[string]int)
	for i, c := range calls {
		if !c.vital() {
			continue
		}
		left[c.name]++
		if err := inOrder(without(calls, i)); err == nil {
			t.Errorf("the order is good without %s(%s)", c.name, c.args)
		}
	}
	// Three files are replaced: the generation before, the intent, the credential.
	if left["renameat"] != 3 || left["fallocate"] != 1 || left["flock"] != 1 || left["fsync"] < 5 {
		t.Errorf("calls that were left out to see whether they are missed: %v", left)
	}
}

// without is the calls but the one at i, and but what makes up for it: a sync of
// the same file or folder that follows before anything leaves the process.
func without(calls []tracedCall, i int) (rest []tracedCall) {
	rest = slices.Clone(calls[:i])
	gone := calls[i]
	for j, c := range calls[i+1:] {
		if c.departure() != "" {
			return append(rest, calls[i+1+j:]...)
		}
		if gone.name != "fsync" || c.name != "fsync" || c.path != gone.path {
			rest = append(rest, c)
		}
	}
	return rest
}

// A tracedCall is a system call. It takes from begin to end, counted in lines of
// the trace.
type tracedCall struct {
	begin, end int
	name, args string
	failed     bool
	descriptor string // its first argument, if that is one
	path       string // of that
	renamed    string // what is renamed
	target     string // what a rename or a new folder results in
}

// vital reports whether a refresh must not do without the call.
func (c tracedCall) vital() bool {
	switch c.name {
	case "fsync", "fdatasync", "fallocate", "renameat", "renameat2":
		return !c.failed
	case "flock":
		return !c.failed && strings.HasSuffix(c.path, "/lock") && strings.Contains(c.args, "LOCK_EX")
	}
	return false
}

// departure is the part of the story that a call is by which something leaves
// the process, or "".
func (c tracedCall) departure() string {
	switch {
	case c.name == "write" && strings.Contains(c.args, `"POST `):
		return "sent"
	case c.name == "write" && c.descriptor == "1":
		return "printed"
	case c.name == "flock" && strings.Contains(c.args, "LOCK_UN") && path.Base(c.path) == "lock":
		return "unlocked"
	}
	return ""
}

var (
	wholeCall   = regexp.MustCompile(`^(\d+)\s+(\w+)\((.*)\)\s+= (.*)$`)
	begunCall   = regexp.MustCompile(`^(\d+)\s+(\w+)\((.*?)\s*<unfinished \.\.\.>$`)
	resumedCall = regexp.MustCompile(`^(\d+)\s+<\.\.\. (\w+) resumed>(.*)\)\s+= (.*)$`)
	otherLine   = regexp.MustCompile(`^\d+\s+(---|\+\+\+|<\.\.\. \w+ resumed> <unfinished)`)
	descriptor  = regexp.MustCompile(`^(\d+)<([^>]*)>`)
	atPath      = regexp.MustCompile(`(?:AT_FDCWD|\d+)<([^>]*)>, "([^"]*)"`)
)

// readCalls reads the calls of a trace that strace has written with -f and -y,
// in the order in which they ended.
func readCalls(text string) (calls []tracedCall, err error) {
	open := make(map[string]tracedCall) // by thread
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if m := wholeCall.FindStringSubmatch(line); m != nil {
			calls = append(calls, tracedCall{begin: i, end: i, name: m[2], args: m[3], failed: strings.HasPrefix(m[4], "-")})
		} else if m := begunCall.FindStringSubmatch(line); m != nil {
			open[m[1]] = tracedCall{begin: i, name: m[2], args: m[3]}
		} else if m := resumedCall.FindStringSubmatch(line); m != nil && open[m[1]].name == m[2] {
			c := open[m[1]]
			c.end, c.args, c.failed = i, c.args+m[3], strings.HasPrefix(m[4], "-")
			calls = append(calls, c)
		} else if !otherLine.MatchString(line) {
			return nil, fmt.Errorf("a line that is not understood: %q", line)
		}
	}
	for i := range calls {
		calls[i].resolve()
	}
	return calls, nil
}

// resolve finds the files that a call is about.
func (c *tracedCall) resolve() {
	if m := descriptor.FindStringSubmatch(c.args); m != nil {
		c.descriptor, c.path = m[1], m[2]
	}
	at := atPath.FindAllStringSubmatch(c.args, -1)
	for i, m := range at {
		if !path.IsAbs(m[2]) {
			at[i][2] = path.Join(m[1], m[2])
		}
	}
	if len(at) > 0 {
		c.target = at[len(at)-1][2]
	}
	if len(at) > 1 {
		c.renamed = at[0][2]
	}
}

// An order follows what is durable through a trace.
type order struct {
	dirty map[string]bool // files with contents, and folders with entries, that are not synced
	done  []string        // what has happened
}

// The story of a refresh. Each part must come once and after the one before.
var story = []string{"locked", "saved previous", "reserved", "intended", "sent", "answered", "stored", "unlocked", "printed"}

// inOrder checks that the calls tell the story, and that at each part everything
// before it is durable that has to be.
func inOrder(calls []tracedCall) error {
	o := &order{dirty: make(map[string]bool)}
	type moment struct {
		line int
		call *tracedCall
		over bool
	}
	var moments []moment
	for i := range calls {
		moments = append(moments, moment{calls[i].begin, &calls[i], false}, moment{calls[i].end, &calls[i], true})
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return a.line - b.line })
	for _, m := range moments {
		if m.call.failed {
			continue
		}
		var err error
		if m.over {
			o.over(m.call)
		} else {
			err = o.begins(m.call)
		}
		if err != nil {
			return err
		}
	}
	if !slices.Equal(o.done, story) {
		return fmt.Errorf("what happened is %q, want %q", o.done, story)
	}
	return nil
}

// begins checks what must be durable before a call begins: before whatever leaves
// the process or lets go of the lock, everything; before a rename, the contents of
// what is renamed.
func (o *order) begins(c *tracedCall) error {
	part := c.departure()
	switch {
	case o.dirty[c.renamed]:
		return fmt.Errorf("%s is renamed before it is synced", path.Base(c.target))
	case part != "" && len(o.dirty) > 0:
		return fmt.Errorf("%s before these are synced: %v", part, o.dirty)
	case part != "":
		o.done = append(o.done, part)
	}
	return nil
}

// over takes note of what a call has done.
func (o *order) over(c *tracedCall) {
	switch c.name {
	case "fsync", "fdatasync":
		delete(o.dirty, c.path)
	case "pwrite64", "ftruncate":
		o.dirty[c.path] = true
	case "fallocate":
		o.done = append(o.done, "reserved")
	case "mkdirat":
		o.dirty[path.Dir(c.target)] = true
	case "renameat", "renameat2":
		o.dirty[path.Dir(c.target)] = true
		if part := map[string]string{"cred.prev": "saved previous", "intent.json": "intended", "cred.json": "stored"}[path.Base(c.target)]; part != "" {
			o.done = append(o.done, part)
		}
	case "flock":
		if strings.Contains(c.args, "LOCK_EX") && path.Base(c.path) == "lock" {
			o.done = append(o.done, "locked")
		}
	case "read":
		if strings.Contains(c.args, `"HTTP/1.1 200`) {
			o.done = append(o.done, "answered")
		}
	}
}
