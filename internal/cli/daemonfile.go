package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/config"
)

// daemonFile is daemon.json in the data folder: how to reach the daemon that
// holds daemon.lock. It is a hint, the lock is the truth. Fields are only ever
// added, since the programs that write and read it may differ in version.
type daemonFile struct {
	Version string `json:"version"`
	// Socket is the owner's socket; empty where there are none.
	Socket string `json:"socket,omitempty"`
	// Listen is the URL on TCP.
	Listen string `json:"listen"`
	// Config is the path of config.toml that the daemon goes by.
	Config string `json:"config"`
}

// maxDaemonFile bounds daemon.json.
const maxDaemonFile = 64 << 10

func lockPath(d config.Dirs) string       { return filepath.Join(d.Home, "daemon.lock") }
func daemonFilePath(d config.Dirs) string { return filepath.Join(d.Home, "daemon.json") }

func readDaemonFile(d config.Dirs) (daemonFile, error) {
	data, err := atomicfile.Read(daemonFilePath(d), maxDaemonFile)
	if err != nil {
		return daemonFile{}, err
	}
	var f daemonFile
	if err := json.Unmarshal(data, &f); err != nil {
		return daemonFile{}, fmt.Errorf("reading %s: %w", daemonFilePath(d), err)
	}
	return f, nil
}

// sameFile reports whether two paths are one place: the same text, or the same
// file behind links.
func sameFile(a, b string) bool {
	if a == b {
		return true
	}
	ai, aErr := os.Stat(a)
	bi, bErr := os.Stat(b)
	return aErr == nil && bErr == nil && os.SameFile(ai, bi)
}
