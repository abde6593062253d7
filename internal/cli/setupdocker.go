package cli

import (
	"context"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/toolconf"
)

const setupDockerHelp = `Have docker ask usher for the login of the registries of a provider.

usage: usher setup docker [KEY] [flags]

The registries are the docker_hosts of the provider of KEY; without KEY, those
of all providers. They go into ~/.docker/config.json, or into config.json in
$DOCKER_CONFIG:

  {"credHelpers": {"ghcr.io": "usher"}}

docker looks for docker-credential-usher on the PATH, so a link to usher of that
name is made: beside usher, or in ~/.local/bin. podman and skopeo do the same by
their own file: --file ~/.config/containers/auth.json.

docker names no account when it asks; it is chosen as elsewhere, such as by a
rule for the folder or USHER_ACCOUNT.

  --undo       take it back; with KEY, what is there for that key alone
  --dry-run    say what would be written, and write nothing
  --file F     the file to write
  --json       print what was done as JSON

examples:
  usher setup docker github
  usher setup docker --undo
`

// dockerHelper is the program that docker runs for a helper called usher.
const dockerHelper = "docker-credential-usher"

func (a *app) setupDockerCommand() *cobra.Command {
	var o setupOptions
	return a.setupTool("docker", setupDockerHelp, &o, planDocker)
}

func planDocker(_ context.Context, s *settingUp) error {
	hosts, err := s.registries()
	if err != nil {
		return err
	}
	path := s.file
	if path == "" {
		if path, err = s.dockerFile(); err != nil {
			return err
		}
	}
	s.told = hosts
	var items []toolconf.Item
	for _, host := range hosts {
		items = append(items, toolconf.Item{Name: host, Args: []string{"usher"}, Key: s.key})
	}
	// docker fails for a registry whose helper is missing, so the link is first;
	// and no link is made for a file that cannot be written.
	target := toolconf.Target{Tool: s.tool, Path: path, Perm: 0o600}
	if _, err := toolconf.Setup(s.dirs.Home, target, items, true); err != nil {
		return err
	}
	if err := s.linkDocker(); err != nil {
		return err
	}
	return s.write(path, items...)
}

// registries are those to set up.
func (s *settingUp) registries() (hosts []string, err error) {
	if s.key == "" {
		for _, p := range catalogue(s.dirs).List() {
			hosts = append(hosts, p.DockerHosts...)
		}
		slices.Sort(hosts)
		return slices.Compact(hosts), nil
	}
	p, err := s.of()
	if err != nil {
		return nil, err
	}
	if len(p.DockerHosts) == 0 {
		return nil, usagef("which registries are %s's is not known", p.Name).
			WithHint("write docker_hosts = [\"registry.example.com\"] into %s", show(filepath.Join(s.dirs.ProvidersDir, p.Name+".toml")))
	}
	if strings.Contains(s.key, "/") {
		if chosen, err := s.resolveKey(p.Name, ""); err != nil || chosen != s.key {
			return nil, usagef("docker asks without naming an account, and would get the token of %s", p.Name).
				WithHint("choose the account by a rule for the folder or by USHER_ACCOUNT, see usher help environment; then run: usher setup docker %s", p.Name)
		}
	}
	return p.DockerHosts, nil
}

func (s *settingUp) dockerFile() (string, error) {
	if dir := s.getenv("DOCKER_CONFIG"); dir != "" {
		return filepath.Abs(filepath.Join(dir, "config.json"))
	}
	return s.homePath(".docker", "config.json")
}

// linkDocker makes the program that docker runs, unless it is there.
func (s *settingUp) linkDocker() error {
	if found, err := exec.LookPath(dockerHelper); err == nil {
		if sameFile(found, s.usher) {
			return nil
		}
		return api.Errorf(api.CodeConflict, "%s is another program than this one", show(found)).
			WithHint("remove it, then run: usher setup docker")
	}
	if runtime.GOOS == "windows" {
		s.hints = append(s.hints, "docker needs a copy of usher.exe on the PATH that is called "+dockerHelper+".exe")
		return nil
	}
	local, err := s.homePath(".local", "bin")
	if err != nil {
		return err
	}
	dir := filepath.Dir(s.usher)
	if !s.onPath(dir) || !mayWrite(dir) {
		dir = local
	}
	c, err := toolconf.Link(s.dirs.Home, s.tool, filepath.Join(dir, dockerHelper), s.usher, s.dryRun)
	if err != nil {
		return err
	}
	s.changes = append(s.changes, c)
	if !s.onPath(dir) {
		s.hints = append(s.hints, s.homely(dir)+" is not on your PATH, so docker does not find "+dockerHelper+" yet; add it in your shell's profile")
	}
	return nil
}

// onPath reports whether programs are looked for in dir.
func (s *settingUp) onPath(dir string) bool {
	return slices.ContainsFunc(filepath.SplitList(s.getenv("PATH")), func(d string) bool { return d != "" && sameFile(d, dir) })
}
