package scripttest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// evidence is everything that processes let out, by where it was found. It may
// be added to from several goroutines.
type evidence struct {
	mu    sync.Mutex
	items []item
	seen  map[string]int // samples taken of a process, by its name
}

type item struct{ where, text string }

func (e *evidence) add(where, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.items = append(e.items, item{where, text})
}

// addFiles adds every file below dir, and its name. Those of skip, relative to
// dir, are left out with all that is below them.
func (e *evidence) addFiles(t *testing.T, dir string, skip ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		for _, s := range skip {
			if name == filepath.Join(dir, s) {
				if d.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
		}
		e.add("the name of "+name, name)
		if !d.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(name)
		e.add(name, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// watch samples the command line and the environment of a process as other
// users and tools see them, until it ends.
func (e *evidence) watch(name string, p *process) {
	last := map[string]string{}
	for {
		for _, file := range []string{"cmdline", "environ"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
			if err != nil || len(text) == 0 {
				continue // it has ended
			}
			if s := string(text); s != last[file] {
				last[file] = s
				e.add(file+" of "+name, s)
			}
			e.mu.Lock()
			e.seen[name]++
			e.mu.Unlock()
		}
		select {
		case <-p.done:
			return
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// samples is how often watch saw the process called name.
func (e *evidence) samples(name string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.seen[name]
}

// find returns where a secret is, in any of the forms that it may have taken.
func (e *evidence) find(secret string) (where []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	forms := forms(secret)
	for _, i := range e.items {
		for form, needle := range forms {
			if at := strings.Index(i.text, needle); at >= 0 {
				around := i.text[max(0, at-80):min(len(i.text), at+len(needle)+20)]
				where = append(where, fmt.Sprintf("%s (%s): ...%q...", i.where, form, around))
			}
		}
	}
	return where
}

// forms are the ways in which a secret could be written down: form -> text.
func forms(secret string) map[string]string {
	f := map[string]string{
		"plain": secret,
		"hex":   hex.EncodeToString([]byte(secret)),
		"HEX":   strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"bytes": strings.Trim(fmt.Sprint([]byte(secret)), "[]"), // as %v prints a slice
	}
	// Within a longer text base64 depends on the offset, and at the ends on
	// what is beside the secret.
	for offset := range 3 {
		text := base64.StdEncoding.EncodeToString(append(bytes.Repeat([]byte{0}, offset), secret...))
		inner := text[4*((offset+2)/3) : len(text)/4*4-4]
		f[fmt.Sprintf("base64 at %d", offset)] = inner
		f[fmt.Sprintf("base64url at %d", offset)] = strings.NewReplacer("+", "-", "/", "_").Replace(inner)
	}
	return f
}

func TestEvidenceFinds(t *testing.T) {
	const secret = "CANARY-a_b-0123456789"
	for name, text := range map[string]string{
		"plain":     "at_" + secret + "xyz",
		"hex":       fmt.Sprintf("%x", "at_"+secret+"z"),
		"HEX":       fmt.Sprintf("%X", "at_"+secret),
		"bytes":     fmt.Sprint([]byte("at_" + secret + "z")),
		"base64":    base64.StdEncoding.EncodeToString([]byte(secret)),
		"basic 1":   base64.StdEncoding.EncodeToString([]byte("c:" + secret + "?")),
		"basic 2":   base64.URLEncoding.EncodeToString([]byte("cl:" + secret + "??>")),
		"basic 3":   base64.StdEncoding.EncodeToString([]byte("cli:" + secret)),
		"raw":       base64.RawURLEncoding.EncodeToString([]byte("client:" + secret + "~")),
		"file name": "/tmp/" + secret + ".json",
	} {
		e := &evidence{}
		e.add(name, text)
		if len(e.find(secret)) == 0 {
			t.Errorf("%s: not found in %q", name, text)
		}
		e = &evidence{}
		e.add(name, strings.ReplaceAll(text, text[len(text)/2:], ""))
		if got := e.find(secret); got != nil {
			t.Errorf("%s: found in half of it: %q", name, got)
		}
	}
}

func TestEvidenceSeesProcesses(t *testing.T) {
	const secret = "CANARY-0123456789"
	for where, args := range map[string][]string{
		"environ": {"TOKEN=" + secret, "sh", "-c", "while :; do :; done"},
		"cmdline": {"sh", "-c", "while :; do :; done", secret},
	} {
		p, err := start("env", t.TempDir(), environment(), args...)
		if err != nil {
			t.Fatal(err)
		}
		e := &evidence{seen: map[string]int{}}
		watched := make(chan struct{})
		go func() { defer close(watched); e.watch("it", p) }()
		found := func() bool { return strings.Contains(strings.Join(e.find(secret), " "), where+" of it") }
		if !eventually(found) {
			t.Errorf("%s: not seen", where)
		}
		p.kill()
		<-watched
	}
}
