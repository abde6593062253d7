package cli

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/internal/credhelper"
	"github.com/usherauth/usher/internal/toolconf"
	"github.com/usherauth/usher/provider"
)

const setupGitHelp = `Have git ask usher for the login of the hosts of a provider.

usage: usher setup git [KEY] [flags]

The hosts are the git_hosts of the provider of KEY; without KEY, those of all
providers, and the account is chosen as elsewhere, such as by the folder. For
each of them a section goes to the end of the file that git config --global
writes:

  [credential "https://github.com"]
      helper =
      helper = !/usr/local/bin/usher helper git github

The empty helper has git forget the ones it knew for that host: no other program
is asked for a password there, or told the token. Other hosts are as before.

  --host HOST  this host too, or host:port; repeat for more
  --undo       take it back; with KEY, what is there for that key alone
  --dry-run    say what would be written, and write nothing
  --file F     the file to write
  --json       print what was done as JSON

examples:
  usher setup git github
  usher setup git corp/work --host git.corp.example
  usher setup git --undo
`

func (a *app) setupGitCommand() *cobra.Command {
	var o setupOptions
	cmd := a.setupTool("git", setupGitHelp, &o, planGit)
	cmd.Flags().StringArrayVar(&o.hosts, "host", nil, "this host too")
	return cmd
}

func planGit(_ context.Context, s *settingUp) error {
	hosts, err := s.gitHosts()
	if err != nil {
		return err
	}
	path := s.file
	if path == "" {
		if path, err = s.gitFile(); err != nil {
			return err
		}
	}
	s.told = hosts
	var items []toolconf.Item
	for _, host := range hosts {
		helper := "!" + shellQuote(filepath.ToSlash(s.usher)) + " helper git"
		if slices.Contains(s.hosts, host) {
			helper += " --host " + host
		}
		if s.key != "" {
			helper += " " + s.key
		}
		for _, scheme := range schemes(host) {
			items = append(items, toolconf.Item{Name: scheme + "://" + host, Args: []string{helper}, Key: s.key})
		}
	}
	return s.write(path, items...)
}

// gitHosts are the hosts to set up.
func (s *settingUp) gitHosts() (hosts []string, err error) {
	if err := provider.CheckHosts(s.hosts); err != nil {
		return nil, usagef("--host: %w", err).WithHint("give the host alone, such as git.example.com or git.example.com:8443")
	}
	if s.key == "" {
		if len(s.hosts) > 0 {
			return nil, usagef("--host needs a KEY, whose token the host may get")
		}
		for _, p := range catalogue(s.dirs).List() {
			for _, host := range p.GitHosts {
				if !slices.Contains(hosts, host) {
					hosts = append(hosts, host)
				}
			}
		}
		return hosts, nil
	}
	p, err := s.of()
	if err != nil {
		return nil, err
	}
	hosts = append(hosts, p.GitHosts...)
	for _, host := range s.hosts {
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	if len(hosts) == 0 {
		return nil, usagef("which hosts of %s are for git is not known", p.Name).
			WithHint("name them: usher setup git %s --host HOST", s.key)
	}
	return hosts, nil
}

// schemes are those by which git may ask about a host: on this machine also the
// one without TLS.
func schemes(host string) []string {
	if (credhelper.Hosts{host}).Allow("http", host) {
		return []string{"https", "http"}
	}
	return []string{"https"}
}

// gitFile is the file that git config --global writes (git-config(1)).
func (s *settingUp) gitFile() (string, error) {
	if path := s.getenv("GIT_CONFIG_GLOBAL"); path != "" {
		return filepath.Abs(path)
	}
	own, err := s.homePath(".gitconfig")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(own); err == nil {
		return own, nil
	}
	dir := s.getenv("XDG_CONFIG_HOME")
	if dir == "" {
		dir = filepath.Join(filepath.Dir(own), ".config")
	}
	if xdg := filepath.Join(dir, "git", "config"); filepath.IsAbs(xdg) {
		if _, err := os.Stat(xdg); err == nil {
			return xdg, nil
		}
	}
	return own, nil
}

// shellQuote is path as a word for sh, which git runs on every system.
func shellQuote(path string) string {
	const safe = "/._-+:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	if runtime.GOOS != "windows" && strings.Trim(path, safe) == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
