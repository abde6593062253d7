package cli

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/internal/credhelper"
	"github.com/usherauth/usher/internal/toolconf"
)

const setupKubectlHelp = `Have kubectl, and what else reads a kubeconfig, get its token from usher.

usage: usher setup kubectl KEY [flags]

It adds the user usher-KEY, with a command that prints the token, to the first
file of $KUBECONFIG that exists, or to ~/.kube/config. A context uses it when
you say so:

  --context C  make it the user of this context
  --cluster C  make it the user of all contexts of this cluster
  --undo       take it back; with KEY, what is there for that key alone
  --dry-run    say what would be written, and write nothing
  --file F     the file to write, instead of those of $KUBECONFIG
  --json       print what was done as JSON

A file that is not laid out as kubectl does it is left alone, and the lines to
add by hand are printed.

examples:
  usher setup kubectl corp --context staging
  usher setup kubectl --undo
`

func (a *app) setupKubectlCommand() *cobra.Command {
	var o setupOptions
	cmd := a.setupTool("kubectl", setupKubectlHelp, &o, planKubectl)
	cmd.Flags().StringVar(&o.context, "context", "", "make it the user of this context")
	cmd.Flags().StringVar(&o.cluster, "cluster", "", "make it the user of all contexts of this cluster")
	return cmd
}

// kubeUser is the name of the user that has the token of a key.
func kubeUser(key string) string { return "usher-" + key }

func planKubectl(ctx context.Context, s *settingUp) error {
	if s.key == "" {
		return usagef("KEY is missing: kubectl has no other way to say whose token it wants")
	}
	files, err := s.kubeFiles()
	if err != nil {
		return err
	}
	items := map[string][]toolconf.Item{} // file -> what to write there
	to := userFile(files)
	version := execVersion(ctx)
	items[to] = append(items[to], toolconf.Item{
		Name: toolconf.KubeUser + kubeUser(s.key), Key: s.key,
		Args: []string{version, s.usher, "helper", "kubectl", s.key},
	})
	contexts, err := s.kubeContexts(files)
	if err != nil {
		return err
	}
	for _, c := range contexts {
		items[c.Path] = append(items[c.Path], toolconf.Item{Name: toolconf.KubeContext + c.Name, Args: []string{kubeUser(s.key)}, Key: s.key})
	}
	for _, path := range files {
		if len(items[path]) > 0 {
			if err := s.write(path, items[path]...); err != nil {
				return err
			}
		}
	}
	if len(contexts) == 0 {
		s.hints = append(s.hints, "to use it, run: kubectl config set-context --current --user="+kubeUser(s.key))
	}
	return nil
}

// kubeFiles are the files that kubectl reads, in their order.
func (s *settingUp) kubeFiles() (files []string, err error) {
	if s.file != "" {
		return []string{s.file}, nil
	}
	for _, path := range filepath.SplitList(s.getenv("KUBECONFIG")) {
		if path == "" {
			continue
		}
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		files = append(files, path)
	}
	if len(files) > 0 {
		return files, nil
	}
	path, err := s.homePath(".kube", "config")
	return []string{path}, err
}

// userFile is where kubectl would write a new user: the first file that exists,
// or the last one if none does.
func userFile(files []string) string {
	for _, path := range files {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return files[len(files)-1]
}

// kubeContexts are the contexts that are to have the user.
func (s *settingUp) kubeContexts(files []string) (chosen []toolconf.Context, err error) {
	if s.context == "" && s.cluster == "" {
		return nil, nil
	}
	seen := map[string]bool{}
	var names []string
	for _, path := range files {
		contexts, err := toolconf.Contexts(path)
		if err != nil {
			return nil, err
		}
		for _, c := range contexts {
			if seen[c.Name] {
				continue // the first file that has it decides
			}
			seen[c.Name] = true
			names = append(names, c.Name)
			if c.Name == s.context || s.cluster != "" && c.Cluster == s.cluster {
				chosen = append(chosen, c)
			}
		}
	}
	what := "context " + s.context
	if s.context == "" {
		what = "context of the cluster " + s.cluster
	}
	if len(chosen) == 0 {
		return nil, usagef("there is no %s", show(what)).
			WithHint("there are: %s\nto make one, run: kubectl config set-context NAME --cluster=CLUSTER --user=%s", show(strings.Join(names, ", ")), kubeUser(s.key))
	}
	return chosen, nil
}

// execVersion is the version of the protocol to have kubectl use: the stable one,
// unless the kubectl that is there is too old for it.
func execVersion(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "kubectl", "version", "--client", "-o", "json")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	var version struct {
		ClientVersion struct {
			Major, Minor string
		}
	}
	if err != nil || json.Unmarshal(out, &version) != nil {
		return credhelper.ExecV1
	}
	minor, err := strconv.Atoi(strings.TrimRight(version.ClientVersion.Minor, "+"))
	if err == nil && version.ClientVersion.Major == "1" && minor < 22 {
		return credhelper.ExecV1Beta1
	}
	return credhelper.ExecV1
}
