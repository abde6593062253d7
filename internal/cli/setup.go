package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/internal/toolconf"
	"github.com/usherauth/usher/provider"
)

const setupHelp = `Write the configuration of a tool so that it asks usher for tokens. Everything
else in its file stays as it is, and --undo makes the file what it was.

usage: usher setup TOOL [KEY] [flags]

  git         its credential helper
  docker      its credential helper, for podman and skopeo too
  kubectl     a user of a kubeconfig
  qwen        qwen-code, for usher exec KEY -- qwen

  --undo      take it back; with KEY, what is there for that key alone
  --dry-run   say what would be written, and write nothing
  --file F    the file to write, instead of the tool's own
  --json      print what was done as JSON

usher setup TOOL --help tells more.

examples:
  usher setup git github
  usher setup git --undo
`

// setupOptions are the arguments of setup.
type setupOptions struct {
	tool    string
	key     string // empty: not given
	undo    bool
	dryRun  bool
	file    string // empty: the tool's own
	json    bool
	hosts   []string // git
	context string   // kubectl
	cluster string   // kubectl
}

func (a *app) setupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "setup TOOL", Short: "let other tools ask usher", Long: setupHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return errors.New("unknown tool " + show(args[0]) + "; known are git, docker, kubectl and qwen")
			}
			return nil
		},
	}
	a.command(cmd, func(context.Context, []string) error {
		return usagef("which tool? git, docker, kubectl or qwen")
	})
	cmd.AddCommand(a.setupGitCommand(), a.setupDockerCommand(), a.setupKubectlCommand(), a.setupQwenCommand())
	return cmd
}

// setupTool is the command setup TOOL. plan says what to write; it gets the key,
// with the account that stands in it or none.
func (a *app) setupTool(tool, help string, o *setupOptions, plan func(ctx context.Context, s *settingUp) error) *cobra.Command {
	o.tool = tool
	cmd := a.command(&cobra.Command{
		Use: tool + " [KEY]", Short: "let " + tool + " ask usher", Long: help, Args: atMostOne("KEY"),
	}, func(ctx context.Context, args []string) error {
		if len(args) == 1 {
			o.key = args[0]
		}
		return a.runSetup(ctx, *o, plan)
	})
	f := cmd.Flags()
	f.BoolVar(&o.undo, "undo", false, "take it back")
	f.BoolVar(&o.dryRun, "dry-run", false, "write nothing")
	f.StringVar(&o.file, "file", "", "the file to write")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// settingUp is one run of setup.
type settingUp struct {
	*app
	setupOptions
	dirs  config.Dirs
	usher string // the path by which tools are to call this program

	told    []string // the hosts that git or docker is told about
	changes []toolconf.Change
	hints   []string // what is left to the person
}

func (a *app) runSetup(ctx context.Context, o setupOptions, plan func(ctx context.Context, s *settingUp) error) error {
	s := &settingUp{app: a, setupOptions: o}
	var err error
	if s.dirs, err = a.dirs(); err != nil {
		return err
	}
	if o.key != "" {
		if err := s.checkKey(); err != nil {
			return err
		}
	}
	if o.file != "" {
		if s.file, err = filepath.Abs(o.file); err != nil {
			return api.Errorf(api.CodeInternal, "finding the working directory: %w", err)
		}
	}
	if o.undo {
		err = s.takeBack()
	} else if s.usher, err = ownPath(); err == nil {
		err = plan(ctx, s)
	}
	if err != nil {
		return s.setupError(err)
	}
	return s.report(ctx)
}

// checkKey wants a key whose provider is known.
func (s *settingUp) checkKey() error {
	key, err := credential.ParseKey(s.key)
	if err != nil {
		return invalidKey(err)
	}
	if s.undo {
		return nil // it may be gone by now
	}
	_, err = catalogue(s.dirs).Lookup(key.Provider)
	return providerError(err)
}

// of is the provider of the key.
func (s *settingUp) of() (provider.Provider, error) {
	p, err := catalogue(s.dirs).Lookup(providerOf(s.key))
	return p, providerError(err)
}

// write has the file of the tool say items.
func (s *settingUp) write(path string, items ...toolconf.Item) error {
	c, err := toolconf.Setup(s.dirs.Home, toolconf.Target{Tool: s.tool, Path: path, Perm: 0o600}, items, s.dryRun)
	if err == nil {
		s.changes = append(s.changes, c)
	}
	return err
}

// takeBack takes back what is set up, as far as it is asked about.
func (s *settingUp) takeBack() error {
	records, err := toolconf.Records(s.dirs.Home)
	if err != nil {
		return err
	}
	which := func(i toolconf.Item) bool { return s.key == "" || i.Key == s.key }
	found, left := false, false
	var links []toolconf.Record
	for _, r := range records {
		switch {
		case r.Tool != s.tool:
		case r.Target != "":
			links = append(links, r)
		case s.file != "" && r.Path != s.file || !slices.ContainsFunc(r.Items, which):
			left = true
		default:
			found = true
			left = left || slices.ContainsFunc(r.Items, func(i toolconf.Item) bool { return !which(i) })
			if err := s.undoOne(r, which); err != nil {
				return err
			}
		}
	}
	for _, r := range links {
		if left {
			break // what is left needs them
		}
		found = true
		if err := s.undoOne(r, which); err != nil {
			return err
		}
	}
	if !found {
		return api.Errorf(api.CodeNotFound, "nothing is set up for %s here%s", s.tool, s.forKey()).
			WithHint("to set it up, run: usher setup %s", strings.TrimSpace(s.tool+" "+s.key))
	}
	return nil
}

func (s *settingUp) undoOne(r toolconf.Record, which func(toolconf.Item) bool) error {
	c, err := toolconf.Undo(s.dirs.Home, r, which, s.dryRun)
	if err == nil {
		s.changes = append(s.changes, c)
	}
	return err
}

func (s *settingUp) forKey() string {
	if s.key == "" {
		return ""
	}
	return " for " + s.key
}

// setupError is err with what to do about it.
func (s *settingUp) setupError(err error) error {
	var (
		known *api.Error
		file  *toolconf.Error
		path  *os.PathError
	)
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, toolconf.ErrChanged):
		return api.Errorf(api.CodeConflict, "%w", err).
			WithHint("put it back as it was or take it out by hand, then run: usher setup %s --undo", s.tool)
	case errors.As(err, &file) && file.ByHand != "":
		return usagef("%w; nothing was changed", err).WithHint("add this by hand:\n%s", strings.TrimSuffix(file.ByHand, "\n"))
	case errors.As(err, &file):
		return usagef("%w; nothing was changed", err).WithHint("correct the file, or name another one with --file")
	case errors.As(err, &path):
		return api.Errorf(api.CodeStoreFailure, "%w", err).WithHint("check that the file and its folder are yours to write")
	}
	return api.Errorf(api.CodeStoreFailure, "%w", err).WithHint("correct that, or name another file with --file")
}

// ownPath is the path by which other programs are to call this one: the one on
// the PATH if it leads here, since that survives an upgrade, and else the file
// itself.
func ownPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", api.Errorf(api.CodeInternal, "finding the program itself: %w", err)
	}
	if found, err := exec.LookPath("usher"); err == nil && sameFile(found, self) {
		if found, err = filepath.Abs(found); err == nil {
			self = found
		}
	}
	if strings.ContainsFunc(self, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", usagef("the path of usher has control characters: %s", show(self)).
			WithHint("put the program somewhere else")
	}
	return self, nil
}

// homePath is the path of a file below the home folder.
func (s *settingUp) homePath(elements ...string) (string, error) {
	home := s.getenv("HOME")
	if home == "" {
		home = s.getenv("USERPROFILE") // Windows
	}
	if !filepath.IsAbs(home) {
		return "", usagef("HOME is not set to an absolute path").WithHint("set it, or name the file with --file")
	}
	return filepath.Join(append([]string{home}, elements...)...), nil
}
