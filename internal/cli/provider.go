package cli

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/share"
)

const providerHelp = `Where logins happen. Some providers come with usher; others are added, one file
each beside config.toml. A running daemon sees a change at the next login.

usage: usher provider COMMAND

  list          all providers
  show NAME     the settings of one, and which of them are yours
  add NAME      add one, or override settings of one that comes with usher
  remove NAME   remove one, or its overrides

usher provider COMMAND --help tells more.

example:
  usher provider add example --issuer https://id.example.com --client-id abc
`

const providerListHelp = `List the providers.

usage: usher provider list [flags]

  --json   print JSON

example:
  usher provider list
`

const providerShowHelp = `Show the settings of a provider and where each is from: built in, or yours.

usage: usher provider show NAME [flags]

  --json   print JSON

example:
  usher provider show github
`

const providerRemoveHelp = `Remove a provider that was added. One that comes with usher loses its overrides
and stays. What is logged in there stays usable as long as it needs no client
secret.

usage: usher provider remove NAME [flags]

  --json   print JSON

example:
  usher provider remove example
`

func (a *app) providerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "provider", Short: "where logins happen", Long: providerHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return errors.New("unknown command " + show(args[0]))
			}
			return nil
		},
	}
	a.command(cmd, func(context.Context, []string) error {
		return usagef("which command? list, show, add or remove")
	})
	cmd.AddCommand(
		a.providerSub("list", "list the providers", providerListHelp, arguments(), a.runProviderList),
		a.providerSub("show NAME", "show the settings of one", providerShowHelp, arguments("NAME"), a.runProviderShow),
		a.providerSub("remove NAME", "remove one, or its overrides", providerRemoveHelp, arguments("NAME"), a.runProviderRemove),
		a.providerAddCommand(),
	)
	return cmd
}

// providerSub is a command on the catalogue of providers. It gets the name, if
// it takes one.
func (a *app) providerSub(use, short, help string, args cobra.PositionalArgs, run func(c *provider.Catalogue, name string, asJSON bool) error) *cobra.Command {
	var asJSON bool
	cmd := a.command(&cobra.Command{Use: use, Short: short, Long: help, Args: args}, func(_ context.Context, args []string) error {
		dirs, err := a.dirs()
		if err != nil {
			return err
		}
		name := ""
		if len(args) > 0 {
			name = args[0]
		}
		c := catalogue(dirs)
		err = run(c, name, asJSON)
		a.warnAll(c.Problems())
		return providerError(err)
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// providerError is the error of an operation on the catalogue. What is wrong
// with what was asked for is a mistake of the caller; the rest is the disk's.
func providerError(err error) error {
	var (
		known      *api.Error
		path       *os.PathError
		incomplete *provider.IncompleteError
	)
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, provider.ErrUnknown):
		return api.Errorf(api.CodeUnknownProvider, "%w", err).
			WithHint("usher provider list shows them all; usher provider add makes one")
	case errors.Is(err, provider.ErrExists):
		return api.Errorf(api.CodeConflict, "%w", err).WithHint("--force replaces it")
	case errors.Is(err, provider.ErrPreset):
		return usagef("%w; it comes with usher, and nothing about it is yours", err)
	case errors.As(err, &incomplete):
		e := usagef("%w", err)
		if incomplete.Help != "" {
			return e.WithHint("%s", incomplete.Help)
		}
		return e
	case errors.As(err, &path) && !errors.Is(err, os.ErrNotExist):
		return storeError(err)
	}
	return usagef("%w", err)
}

// providerSummary is a provider in a list: what the daemon tells, and where
// its settings are from.
type providerSummary struct {
	api.Provider
	// Source is "built in", "yours", or "overridden" for yours over built in.
	Source string `json:"source"`
}

func summary(p provider.Provider) providerSummary {
	s := providerSummary{Source: "built in", Provider: api.Provider{
		Name: p.Name, Title: p.Title, Scopes: p.Scopes, ClientID: p.ClientID,
		Methods: p.Methods(), Ready: true,
	}}
	switch {
	case p.Path != "" && p.Preset:
		s.Source = "overridden"
	case p.Path != "":
		s.Source = "yours"
	}
	var incomplete *provider.IncompleteError
	if errors.As(p.Check(), &incomplete) {
		s.Ready, s.Missing, s.Help = false, []string{incomplete.Missing}, incomplete.Help
	}
	return s
}

func (a *app) runProviderList(c *provider.Catalogue, _ string, asJSON bool) error {
	all := []providerSummary{}
	for _, p := range c.List() {
		all = append(all, summary(p))
	}
	if asJSON {
		return a.printJSON(all)
	}
	t := term.Table{Header: []string{"NAME", "READY", "SOURCE", "TITLE"}, Drop: []int{3, 2}}
	for _, s := range all {
		ready := "yes"
		if !s.Ready {
			ready = "needs " + s.Missing[0]
		}
		t.Rows = append(t.Rows, []string{s.Name, ready, s.Source, show(s.Title)})
	}
	return a.printLines(t.Lines(a.out.Columns()))
}

// providerDetail is a provider as show prints it in JSON.
type providerDetail struct {
	providerSummary
	Note string `json:"note,omitempty"`
	// Path is the file with the person's settings.
	Path     string            `json:"path,omitempty"`
	Settings []providerSetting `json:"settings"`
}

type providerSetting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	// Source is "built in", "yours" or "default".
	Source string `json:"source"`
}

// sources says in plain words where a setting is from.
var sources = map[provider.Source]string{
	provider.FromPreset:  "built in",
	provider.FromFile:    "yours",
	provider.FromDefault: "default",
}

func (a *app) runProviderShow(c *provider.Catalogue, name string, asJSON bool) error {
	p, err := c.Lookup(name)
	if err != nil {
		return err
	}
	d := providerDetail{providerSummary: summary(p), Note: p.Note, Path: p.Path, Settings: []providerSetting{}}
	for _, f := range p.Fields() {
		d.Settings = append(d.Settings, providerSetting{f.Key, f.Value, sources[f.Source]})
	}
	for _, w := range p.Warnings() {
		a.warnf("%s", show(w))
	}
	if p.ShareWith != "" {
		if err := share.Check(p.ShareWith); err != nil {
			a.warnf("share_with: %s", show(err.Error()))
		}
	}
	if asJSON {
		return a.printJSON(d)
	}
	t := term.Table{Header: []string{"SETTING", "SOURCE", "VALUE"}, Drop: []int{1}, Prose: true}
	for _, s := range d.Settings {
		t.Rows = append(t.Rows, []string{s.Key, s.Source, show(s.Value)})
	}
	if err := a.printLines(t.Lines(a.out.Columns())); err != nil {
		return err
	}
	if p.Path != "" {
		a.sayf("yours are in %s", show(p.Path))
	}
	if !d.Ready {
		a.sayf("usher: a login needs %s", d.Missing[0])
		if d.Help != "" {
			a.sayf("hint: %s", show(d.Help))
		}
	}
	return nil
}

func (a *app) runProviderRemove(c *provider.Catalogue, name string, asJSON bool) error {
	restored, err := c.Remove(name)
	if err != nil {
		return err
	}
	if restored {
		a.sayf("Removed what was yours of %s; what comes with usher stays.", name)
	} else {
		a.sayf("Removed the provider %s.", name)
	}
	if asJSON {
		return a.printJSON(struct {
			Name     string `json:"name"`
			Restored bool   `json:"restored"`
		}{name, restored})
	}
	return nil
}
