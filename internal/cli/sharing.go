package cli

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/share"
)

// sharingFlags gives cmd the flags --share-with and --no-share.
func sharingFlags(cmd *cobra.Command, with *string, no *bool) {
	cmd.Flags().StringVar(with, "share-with", "", "share the tokens with this tool")
	cmd.Flags().BoolVar(no, "no-share", false, "share them with no tool")
	tools := cobra.FixedCompletions([]string{share.Qwen}, cobra.ShellCompDirectiveNoFileComp)
	_ = cmd.RegisterFlagCompletionFunc("share-with", tools) // fails for flags that are not there
}

// checkSharing makes one of the flags --share-with and --no-share, as
// [api.StartLogin] has it.
func checkSharing(with *string, no bool) error {
	switch {
	case no && *with != "":
		return usagef("--share-with and --no-share exclude each other")
	case no:
		*with = api.ShareNone
	case *with != "":
		if err := share.Check(*with); err != nil {
			return usagef("--share-with: %w", err)
		}
	}
	return nil
}

// shareFile is the file of a tool in this program's environment.
func (a *app) shareFile(tool string) (*share.File, error) { return share.Open(tool, a.getenv) }

// tellShared tells which tool has the tokens of a new credential as well. That
// tool's file is the business of whoever stored the credential; if it is not to
// be seen here, that is said.
func (a *app) tellShared(c api.Credential) {
	if c.ShareWith == "" {
		return
	}
	f, err := a.shareFile(c.ShareWith)
	if err != nil {
		a.warnf("shared with %s, but: %s", show(c.ShareWith), show(err.Error()))
		return
	}
	if _, err := f.Read(); err != nil {
		a.warnf("shared with %s, whose file could not be written yet: %s: %s", c.ShareWith, a.homely(f.Path()), show(err.Error()))
		return
	}
	a.sayf("Shared with %s: %s", c.ShareWith, a.homely(f.Path()))
}

// homely is path with the home folder as ~, for people.
func (a *app) homely(path string) string {
	home := a.getenv("HOME")
	if rest, ok := strings.CutPrefix(path, home+string(filepath.Separator)); ok && home != "" {
		path = filepath.Join("~", rest)
	}
	return show(path)
}
