package scripttest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// dataSize is the size of a data folder with a file system of its own: plenty
// for what the scripts store.
const dataSize = "512k"

// TestStoreScripts runs the scripts whose data folder fills up or becomes
// read-only. Each data folder is a file system of its own, in a mount namespace
// that ends with the test; so the test runs itself there. Being root does not
// help against either trouble, unlike against permission bits.
func TestStoreScripts(t *testing.T) {
	if os.Getenv(builtVariable) != "" {
		runScripts(t, filepath.Join("testdata", "store"), setting{mountData, storeCommands()})
		return
	}
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestStoreScripts$")
	cmd.Env = append(os.Environ(), builtVariable+"="+binary)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if _, ran := errors.AsType[*exec.ExitError](err); err != nil && !ran {
		t.Fatalf("a mount namespace is missing: it takes root, or a kernel that lets users make namespaces: %v", err)
	}
	if err != nil {
		t.Errorf("in a mount namespace: %v\n%s", err, out)
	}
}

// mountData makes home a small file system.
func mountData(home string) (undo func(), err error) {
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", home, "tmpfs", 0, "mode=0700,size="+dataSize); err != nil {
		return nil, fmt.Errorf("mounting a tmpfs on %s: %w", home, err)
	}
	return func() {
		for syscall.Unmount(home, syscall.MNT_DETACH) == nil { // what a script left on top, too
		}
	}, nil
}

// storeCommands are the commands of all scripts and those for the file system.
func storeCommands() map[string]command {
	all := maps.Clone(commands)
	for name, change := range map[string]func(home string) error{
		"data-full":      fillData,
		"data-freed":     func(home string) error { return os.Remove(filler(home)) },
		"data-read-only": protectData,
		"data-writable":  func(home string) error { return syscall.Unmount(home, syscall.MNT_DETACH) },
	} {
		all[name] = func(ts *testscript.TestScript, _ bool, args []string) {
			usage(ts, len(args) == 0, name)
			ts.Check(change(worldOf(ts).home()))
		}
	}
	return all
}

func filler(home string) string { return filepath.Join(home, "filler") }

// fillData fills the data folder to the last byte.
func fillData(home string) error {
	f, err := os.Create(filler(home))
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("filling %s: got %v, want no space left", home, err)
	}
	return nil
}

// protectData puts a read-only view of the data folder over it. What is open for
// writing already stays so, as it would on a disk that the kernel remounts.
func protectData(home string) error {
	if err := syscall.Mount(home, home, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("binding %s: %w", home, err)
	}
	const flags = syscall.MS_BIND | syscall.MS_REMOUNT | syscall.MS_RDONLY | syscall.MS_NOSUID | syscall.MS_NODEV
	if err := syscall.Mount("", home, "", flags, ""); err != nil {
		return fmt.Errorf("making %s read-only: %w", home, err)
	}
	return nil
}
