package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/usherauth/usher/internal/config"
)

// FuzzReadDaemonFile: anything may stand in daemon.json; it is read or refused.
func FuzzReadDaemonFile(f *testing.F) {
	f.Add([]byte(`{"version":"v1","socket":"/x/daemon.sock","listen":"http://127.0.0.1:1","config":"/c"}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"socket":1}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, "daemon.json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readDaemonFile(config.Dirs{Home: dir}); err != nil && got != (daemonFile{}) {
			t.Errorf("an error with a value: %+v, %v", got, err)
		}
	})
}
