package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/share"
)

const importHelp = `Take over the login of another tool from the file in which it keeps it.

usage: usher import qwen [FILE] [flags]

FILE is the tool's own one unless it is given: oauth_creds.json in $QWEN_HOME or
~/.qwen. From its own file the tokens are shared from then on: both refresh them
and both see what the other did. From any other file they are not, and that copy
must not be used any more, since a refresh token can be spent only once.

  --key KEY       the credential to make (default qwen-oauth)
  --account A     its account, for KEY without one
  --share-with T  share what comes from another file with a tool, qwen, in whose
                  own file it then takes the place of what is there
  --no-share      do not share it (only for another file than the tool's own)
  --move          remove FILE when it is imported (likewise)
  --force         replace a credential of KEY that works
  --json          print the credential as JSON

examples:
  usher import qwen
  usher import qwen ./oauth_creds.json --key qwen-oauth/laptop --move
`

// importOptions are the arguments of import.
type importOptions struct {
	tool      string
	file      string // empty: the tool's own
	key       string
	account   string
	shareWith string
	noShare   bool
	move      bool
	force     bool
	json      bool
}

func (a *app) importCommand() *cobra.Command {
	var o importOptions
	cmd := a.command(&cobra.Command{
		Use: "import TOOL [FILE]", Short: "take over the login of another tool", Long: importHelp,
		Args: func(_ *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return fmt.Errorf("the tool is missing: %s", share.Qwen)
			case 1, 2:
				return nil
			}
			return errors.New("only a tool and a file are expected")
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return []string{share.Qwen}, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveDefault // a file
		},
	}, func(ctx context.Context, args []string) error {
		o.tool = args[0]
		if len(args) == 2 {
			o.file = args[1]
		}
		return a.runImport(ctx, o)
	})
	f := cmd.Flags()
	f.StringVar(&o.key, "key", "qwen-oauth", "the credential to make")
	f.StringVar(&o.account, "account", "", "its account")
	sharingFlags(cmd, &o.shareWith, &o.noShare)
	f.BoolVar(&o.move, "move", false, "remove the file when it is imported")
	f.BoolVar(&o.force, "force", false, "replace a credential that works")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *app) runImport(ctx context.Context, o importOptions) error {
	if err := share.Check(o.tool); err != nil {
		return usagef("cannot import from %q; known are: %s", o.tool, share.Qwen)
	}
	if err := checkSharing(&o.shareWith, o.noShare); err != nil {
		return err
	}
	var err error
	if o.key, err = a.resolveKey(o.key, o.account); err != nil {
		return err
	}
	from, err := a.findImport(&o)
	if err != nil {
		return err
	}
	found, err := from.read()
	if err != nil {
		return importError(o, from.path, err)
	}
	ctx, stop := untilSignal(ctx, syscall.SIGHUP)
	defer stop()
	dirs, err := a.dirs()
	if err != nil {
		return err
	}
	// A daemon sees what is done beside it, and need not be handed the tokens.
	l, err := a.openLocal(dirs)
	if err != nil {
		return err
	}
	defer l.close(settleBound)
	c, err := l.Import(ctx, broker.ImportRequest{
		Key: o.key, Found: found, ShareWith: o.shareWith, Own: from.own, Replace: o.force,
	})
	if err != nil {
		return err
	}
	a.sayf("Imported %s as %s; %s.", a.homely(from.path), c.Key, lifetime(c, time.Now()))
	if o.json {
		if err := a.printJSON(c); err != nil {
			return err
		}
	}
	a.tellShared(c)
	if from.own {
		return nil
	}
	return a.endCopy(o, from, found)
}

// importFile is a file to import from.
type importFile struct {
	path string // behind links
	own  bool   // it is the tool's own
	read func() (share.Contents, error)
}

// findImport finds the file, and judges what is asked for by whose it is.
func (a *app) findImport(o *importOptions) (importFile, error) {
	tools, err := a.shareFile(o.tool)
	if err != nil {
		return importFile{}, usagef("finding the file of %s: %w", o.tool, err)
	}
	path := o.file
	if path == "" {
		path = tools.Path()
	}
	if !sameFile(path, tools.Path()) {
		if o.shareWith == "" {
			o.shareWith = api.ShareNone
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return importFile{}, importError(*o, o.file, err)
		}
		return importFile{path: path, read: func() (share.Contents, error) { return share.ReadFile(o.tool, path) }}, nil
	}
	switch {
	case o.shareWith == api.ShareNone:
		return importFile{}, usagef("%s is the file that %s itself uses: unless it is shared, the first of the two to refresh would spend the token of the other", a.homely(tools.Path()), o.tool).
			WithHint("for a login of its own run: usher login %s --no-share", o.key)
	case o.move:
		return importFile{}, usagef("%s is the file that %s itself uses, and stays", a.homely(tools.Path()), o.tool).
			WithHint("leave out --move; usher logout %s removes it", o.key)
	}
	o.shareWith = o.tool
	return importFile{path: tools.Path(), own: true, read: tools.Read}, nil
}

// importError is the error for a file that cannot be imported.
func importError(o importOptions, path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.file == "":
		return api.Errorf(api.CodeNotFound, "%s has no login: there is no %s", o.tool, show(path)).
			WithHint("name the file, or run: usher login %s", o.key)
	case errors.Is(err, share.ErrInvalid):
		return api.Errorf(api.CodeInvalidRequest, "%s is no login of %s: %w", show(path), o.tool, err).
			WithHint("it must have access_token, refresh_token, token_type and expiry_date; or run: usher login %s", o.key)
	}
	return usagef("importing %s: %w", show(path), err).WithHint("check the path, and whose file it is")
}

// endCopy removes the file that was imported, or says what must become of it.
func (a *app) endCopy(o importOptions, from importFile, found share.Contents) error {
	if !o.move {
		a.warnf("%s must not be used any more: the first refresh here makes its token worthless, or the other way round", a.homely(from.path))
		a.sayf("hint: remove it, as --move would have done")
		return nil
	}
	now, err := from.read()
	if err == nil && !now.RefreshToken.Equal(found.RefreshToken) {
		err = errors.New("it has changed meanwhile, so something uses it")
	}
	if err == nil {
		err = os.Remove(from.path)
	}
	if err != nil {
		return api.Errorf(api.CodeStoreFailure, "imported, but %s stays: %w", a.homely(from.path), err).
			WithHint("remove it")
	}
	a.sayf("Removed %s.", a.homely(from.path))
	return nil
}
