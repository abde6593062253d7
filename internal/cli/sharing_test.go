package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usherauth/usher/api"
)

// Nobody is told that a tool has tokens which it was not given.
func TestSharingThatDidNotWorkIsSaid(t *testing.T) {
	i := install(t)
	i.sandbox(auto)
	i.must("login", "here", "--share-with", "qwen")
	folder := filepath.Join(i.env["HOME"], ".qwen")
	if err := os.Chmod(folder, 0o770); err != nil {
		t.Fatal(err)
	}
	r := i.run("login", "here")
	if r.code != 0 || strings.Contains(r.err, "Shared with") || !strings.Contains(r.err, "could not be written yet") || !strings.Contains(r.err, "run chmod go-w on it") {
		t.Errorf("exit %d, stderr:\n%s", r.code, r.err)
	}
}

func TestSharingIsCompleted(t *testing.T) {
	i := install(t)
	for _, args := range [][]string{{"import", ""}, {"import", "--share-with", ""}, {"login", "here", "--share-with", ""}} {
		if out := i.must(append([]string{"__complete"}, args...)...); !strings.HasPrefix(out, "qwen\n") {
			t.Errorf("usher %v is completed with %q", args, out)
		}
	}
}

// Of a credential that is beyond repair the hint is the login that replaces it.
func TestDamagedCredential(t *testing.T) {
	i := install(t)
	i.sandbox(auto)
	i.must("login", "here")
	found, err := filepath.Glob(filepath.Join(i.dir, "credentials", "*", "cred.*"))
	if err != nil || len(found) == 0 {
		t.Fatalf("%q, %v", found, err)
	}
	for _, file := range found {
		if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for command, hint := range map[string]string{"token here": "usher login here", "status here": "usher login here", "status": "usher login KEY"} {
		r := i.run(strings.Fields(command)...)
		if r.code != api.ExitStore || r.out != "" || !strings.HasSuffix(r.err, "damaged and there is no earlier one\nhint: it cannot be repaired; run: "+hint+"\n") {
			t.Errorf("usher %s: exit %d, stdout %q, stderr:\n%s", command, r.code, r.out, r.err)
		}
	}
	i.must("login", "here")
	i.must("token", "here")
}
