package filestore_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/usherauth/usher/credential"
)

// ownMountsEnv marks a process that inOwnMounts started.
const ownMountsEnv = "USHER_FILESTORE_OWN_MOUNTS"

// inOwnMounts runs the calling test once more, in a process whose mounts are
// its own and end with it, and reports whether this is that process. Without
// root the process is root of a user namespace of its own.
func inOwnMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(ownMountsEnv) != "" {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), ownMountsEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("in a mount namespace of its own: %v\n%s", err, out)
	}
	return false
}

// mountDisk mounts a disk of that size and returns a folder on it.
func mountDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "mode=700,size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(disk, "store")
}

// fill leaves no room on the disk of dir; the function it returns makes room
// again.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(filepath.Dir(dir), "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	if err := os.WriteFile(path+"2", []byte("x"), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("a plain write to a full disk = %v, want ENOSPC", err)
	}
	return func() {
		if err := errors.Join(os.Remove(path), os.Remove(path+"2")); err != nil {
			t.Fatal(err)
		}
	}
}

// isRefusal reports whether err says cause, the folder and the next step.
func isRefusal(err error, cause syscall.Errno, dir string) bool {
	return errors.Is(err, cause) && isStoreError(err, dir) && strings.Contains(err.Error(), "USHER_HOME") &&
		errors.Is(err, credential.ErrFull) == (cause == syscall.ENOSPC)
}

func TestFullDiskFailsUpFront(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	dir := mountDisk(t, "256k")
	s := open(t, dir)
	cred := login(t, s, github, "l1")
	if err := begin(t, s).Release(true); err != nil { // has made the lock
		t.Fatal(err)
	}
	free := fill(t, dir)

	if _, err := s.CreateLogin(t.Context(), pending(qwen, "l2"), 0); !isRefusal(err, syscall.ENOSPC, dir) {
		t.Errorf("CreateLogin = %v, want ENOSPC, the path and the next step", err)
	}
	if _, err := s.Update(t.Context(), cred, cred.Generation); !isRefusal(err, syscall.ENOSPC, dir) {
		t.Errorf("Update = %v, want ENOSPC, the path and the next step", err)
	}
	r := begin(t, s)
	if err := r.Reserve(t.Context()); !isRefusal(err, syscall.ENOSPC, dir) {
		t.Errorf("Reserve = %v, want ENOSPC, the path and the next step", err)
	}
	if err := r.Release(true); err != nil {
		t.Errorf("Release: %v", err)
	}
	if got, err := s.Get(t.Context(), github); err != nil || !got.Equal(cred) {
		t.Errorf("Get = generation %d, %v, want %d", got.Generation, err, cred.Generation)
	}
	if _, err := s.GetLogin(t.Context(), "l2"); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("GetLogin = %v, want ErrNotFound", err)
	}

	free()
	r = begin(t, s)
	defer r.Release(true)
	if r.Interrupted() || !r.Record().Equal(cred) {
		t.Errorf("afterwards: interrupted %v, generation %d, want false, %d", r.Interrupted(), r.Record().Generation, cred.Generation)
	}
	for _, name := range names(t, folder(dir, github)) {
		if strings.HasPrefix(name, ".") {
			t.Errorf("temporary file %s was left behind", name)
		}
	}
}

// What Reserve set aside is there when the disk has filled up meanwhile.
func TestReservedCommitFitsOnAFullDisk(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	dir := mountDisk(t, "256k")
	s := open(t, dir)
	cred := login(t, s, github, "l1")
	r := begin(t, s)
	if err := r.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, dir)
	next, err := r.Commit(t.Context(), sample(github, strings.Repeat("long", 900)))
	if err != nil || next.Generation != cred.Generation+1 {
		t.Errorf("Commit = generation %d, %v, want %d", next.Generation, err, cred.Generation+1)
	}
	if err := r.Release(false); err != nil {
		t.Errorf("Release: %v", err)
	}
	if got, err := s.Get(t.Context(), github); err != nil || !got.Equal(next) {
		t.Errorf("Get = generation %d, %v, want %d", got.Generation, err, next.Generation)
	}
}

// Without a reserve a Commit may fail, and its answer is stored once there is
// room.
func TestCommitAfterAFullDisk(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	dir := mountDisk(t, "256k")
	s := open(t, dir)
	cred := login(t, s, github, "l1")
	r := begin(t, s)
	free := fill(t, dir)
	for range 2 {
		if _, err := r.Commit(t.Context(), sample(github, "next")); !isRefusal(err, syscall.ENOSPC, dir) {
			t.Errorf("Commit on a full disk = %v, want ENOSPC, the path and the next step", err)
		}
	}
	if got, err := s.Get(t.Context(), github); err != nil || !got.Equal(cred) {
		t.Errorf("Get = generation %d, %v, want %d", got.Generation, err, cred.Generation)
	}
	free()
	if next, err := r.Commit(t.Context(), sample(github, "next")); err != nil || next.Generation != cred.Generation+1 {
		t.Errorf("Commit with room again = generation %d, %v, want %d", next.Generation, err, cred.Generation+1)
	}
	if err := r.Release(false); err != nil {
		t.Errorf("Release: %v", err)
	}
}

func TestReadOnlyStore(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	dir := mountDisk(t, "1m")
	cred := login(t, open(t, dir), github, "l1")
	l, err := open(t, dir).CreateLogin(t.Context(), persisting(qwen, "l2"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", filepath.Dir(dir), "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Fatalf("a plain write = %v, want EROFS", err)
	}

	s := open(t, dir)
	if got, err := s.Get(t.Context(), github); err != nil || !got.Equal(cred) {
		t.Errorf("Get = generation %d, %v, want %d", got.Generation, err, cred.Generation)
	}
	for got, err := range s.List(t.Context()) {
		if err != nil || !got.Equal(cred) {
			t.Errorf("List yields generation %d, %v, want %d", got.Generation, err, cred.Generation)
		}
	}
	if stamp, err := s.Stamp(t.Context(), github); stamp == "" || err != nil {
		t.Errorf("Stamp = %q, %v", stamp, err)
	}
	if got, err := s.GetLogin(t.Context(), "l2"); err != nil || got.ID != "l2" {
		t.Errorf("GetLogin = %q, %v", got.ID, err)
	}

	_, newOwner := s.NewOwner(t.Context())
	_, createLogin := s.CreateLogin(t.Context(), pending(github, "l3"), 0)
	_, updateLogin := s.UpdateLogin(t.Context(), l, l.Version)
	_, _, settle := s.Settle(t.Context(), authorized(l), sample(qwen, "2"))
	_, updating := s.Update(t.Context(), cred, cred.Generation)
	_, registering := s.PutRegistration(t.Context(), credential.Registration{Issuer: "https://as.test"})
	for name, err := range map[string]error{
		"NewOwner": newOwner, "CreateLogin": createLogin, "UpdateLogin": updateLogin, "Settle": settle,
		"Update": updating, "Delete": s.Delete(t.Context(), github, cred.Generation), "PutRegistration": registering,
		"a refresh": refresh(t, s, cred),
	} {
		if !isRefusal(err, syscall.EROFS, dir) {
			t.Errorf("%s = %v, want EROFS, the path and the next step", name, err)
		}
	}
	empty := filepath.Join(dir, "missing")
	if _, err := openShared(empty); !isRefusal(err, syscall.EROFS, empty) {
		t.Errorf("Open of a missing folder = %v, want EROFS, the path and the next step", err)
	}
}
