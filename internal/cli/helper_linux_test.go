package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usherauth/usher/api"
)

// Kubectl says whether its plugin may talk to the person; only then it does.
func TestKubectlHelperAsksOnlyWhereItMay(t *testing.T) {
	for interactive, asks := range map[string]bool{"true": true, "false": false} {
		inBothModes(t, func(t *testing.T, i *installation) {
			i.sandbox(auto)
			i.env["KUBERNETES_EXEC_INFO"] = `{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","spec":{"interactive":` + interactive + `}}`
			s := i.atTerminal(80, "helper", "kubectl", "here")
			if !asks {
				code, out := s.wait()
				eventually(t, "all is shown", func() bool { return s.screen() == neverLoggedIn })
				if code != api.ExitLoginNeeded || out != "" || strings.Contains(s.raw.String(), "[Y/n]") {
					t.Errorf("exit %d, stdout %q, shown:\n%s", code, out, s.raw.String())
				}
				return
			}
			s.awaits("Log in now? [Y/n]")
			s.types("y\n")
			code, out := s.wait()
			var got struct {
				APIVersion string
				Status     struct{ Token string }
			}
			if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.APIVersion != "client.authentication.k8s.io/v1beta1" || !strings.HasPrefix(got.Status.Token, "at_") {
				t.Errorf("exit %d, stdout %q, %v", code, out, err)
			}
		})
	}
}

// Git has the terminal for itself: its helper never asks there, and reads no
// more than the question.
func TestGitHelperLeavesTheTerminalAlone(t *testing.T) {
	inBothModes(t, func(t *testing.T, i *installation) {
		i.sandbox(auto)
		settings := filepath.Join(filepath.Dir(i.dir), "providers", "here.toml")
		f, err := os.OpenFile(settings, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString("git_hosts = [\"git.example.com\"]\n"); err != nil {
			t.Fatal(err)
		}
		// The question comes from the terminal, and so would an answer of the person.
		s := i.seated(80, exec.Command(self(t), "helper", "git", "get"))
		s.types("protocol=https\nhost=git.example.com\n\n")
		if code, out := s.wait(); code != api.ExitLoginNeeded || out != "quit=1\n" {
			t.Errorf("exit %d, stdout %q", code, out)
		}
		eventually(t, "all is shown", func() bool { return strings.HasSuffix(s.screen(), neverLoggedIn) })
		if strings.Contains(s.raw.String(), "[Y/n]") {
			t.Errorf("it asked:\n%s", s.raw.String())
		}
	})
}
