//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestToolsDocument runs every command of docs/tools.md in one shell. Each block
// ends with what takes it back, so the files of the tools are in the end what
// they were.
func TestToolsDocument(t *testing.T) {
	t.Parallel()
	blocks := consoleBlocks(t, "../../docs/tools.md")
	if len(blocks) < 6 {
		t.Fatalf("found %d console blocks", len(blocks))
	}
	r := newReader(t)
	home := r.home.env["HOME"]
	files := map[string]string{
		".gitconfig":   "[user]\n\tname = Ada\n",
		".kube/config": "contexts:\n- context:\n    cluster: c\n    user: admin\n  name: staging\nusers: null\n",
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(home, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(home, name), text)
	}
	r.run("unset GIT_CONFIG_GLOBAL DOCKER_CONFIG KUBECONFIG QWEN_HOME")
	for _, block := range blocks {
		for _, command := range block {
			printed := r.run(command)
			switch {
			case strings.Contains(command, "git credential fill") && !strings.Contains(printed, "password=at_"),
				strings.HasPrefix(command, "git config") && !strings.HasSuffix(printed, "/bin/usher helper git github"),
				strings.HasPrefix(command, "cat ~/.docker") && !strings.Contains(printed, `"ghcr.io": "usher"`),
				strings.HasPrefix(command, "cat ~/.qwen") && !strings.Contains(printed, `"selectedType": "openai"`),
				strings.HasPrefix(command, "kubectl") && (!strings.Contains(printed, "user: usher-corp") || !strings.Contains(printed, "- helper")):
				t.Errorf("%s: printed %q", command, printed)
			}
		}
	}
	for name, text := range files {
		if got, err := os.ReadFile(filepath.Join(home, name)); err != nil || string(got) != text {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{".docker", ".qwen", ".config/containers", ".local/bin"} {
		if _, err := os.Lstat(filepath.Join(home, name)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
}
