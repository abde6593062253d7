package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOtherUsersHaveNoPart lets another user of the machine try to read a
// credential, and to hold up its refresh.
func TestOtherUsersHaveNoPart(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Fatal("only root can act for two users: run the tests as root, such as in a container")
	}
	s := newStock(t, 1, "--rotation", "strict")
	key := s.keys[0]
	// All the way to the data folder is open.
	program := filepath.Join(s.base, "usher")
	text, err := os.ReadFile(binary)
	if err = errors.Join(err, os.WriteFile(program, text, 0o755), os.Chmod(program, 0o755), os.Chmod(s.base, 0o755), os.Chmod(s.dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	asNobody := func(name string, args ...string) ending {
		cmd := s.command(key, name, args...)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		return s.run(cmd)
	}
	if e := asNobody(program, "version"); e.code != exitOK {
		t.Fatalf("the other user cannot even run the program: %v", e)
	}
	for _, command := range []string{"token", "logout"} {
		if e := asNobody(program, command, key); e.code != exitStore || e.stdout != "" {
			t.Errorf("%s of another user: %v", command, e)
		}
	}
	for _, name := range []string{".", "cred.json", "lock", "write.lock"} {
		file := filepath.Join(s.folder(key), name)
		if _, err := os.Stat(file); err != nil && name != "lock" {
			t.Error(err)
		}
		for _, way := range []string{`exec 9<"$1"`, `exec 9>>"$1"`, `ln -s /dev/null "$1.x"`} {
			if e := asNobody("sh", "-c", way, "sh", file); e.code == exitOK {
				t.Errorf("%s %s: another user can", way, name)
			}
		}
	}
	token, err := oneToken(s, key)
	if err != nil {
		t.Fatal(err)
	}
	if n := s.box.arrived("token.refresh"); n != 1 {
		t.Errorf("%d refresh requests, want 1", n)
	}
	s.goesOn(key, token)
}
