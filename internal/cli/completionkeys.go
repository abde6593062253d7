package cli

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/internal/config"
)

// Completions read the data folder themselves, quickly: a daemon is not asked,
// nothing is made that is not there, and what cannot be read is not offered.

// storeThere is the store of this installation, if there is one.
func (a *app) storeThere() (*filestore.Store, bool) {
	dirs, err := config.FindDirs(a.getenv)
	if err != nil {
		return nil, false
	}
	if _, err := os.Stat(dirs.Home); err != nil {
		return nil, false
	}
	store, err := filestore.Open(dirs.Home)
	return store, err == nil
}

// credentialsThere are what is logged in.
func (a *app) credentialsThere() (there []credential.Credential) {
	store, ok := a.storeThere()
	if !ok {
		return nil
	}
	for c, err := range store.List(context.Background()) {
		if err == nil {
			there = append(there, c)
		}
	}
	slices.SortFunc(there, func(x, y credential.Credential) int { return strings.Compare(x.Key.String(), y.Key.String()) })
	return there
}

// keysInUse are the keys that are logged in.
func (a *app) keysInUse([]string, string) (keys []cobra.Completion) {
	for _, c := range a.credentialsThere() {
		keys = append(keys, cobra.CompletionWithDesc(c.Key.String(), credentialState(c)))
	}
	return keys
}

func credentialState(c credential.Credential) string {
	switch {
	case c.State == credential.NeedsLogin:
		return "needs a login"
	case c.Alias != "":
		return "logged in as " + show(c.Alias)
	}
	return "logged in"
}

// keysToLogIn are the keys that are logged in, and the providers at which a login
// can start.
func (a *app) keysToLogIn(args []string, begun string) []cobra.Completion {
	keys := a.keysInUse(args, begun)
	there := func(name string) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return k == name || strings.HasPrefix(k, name+"\t") })
	}
	dirs, err := config.FindDirs(a.getenv)
	if err != nil {
		return keys
	}
	for _, p := range catalogue(dirs).List() {
		if p.Check() == nil && credential.CheckName(p.Name) == nil && !there(p.Name) {
			keys = append(keys, cobra.CompletionWithDesc(p.Name, show(p.Title)))
		}
	}
	return keys
}

// otherKeys are the keys in use that args do not name yet.
func (a *app) otherKeys(args []string, begun string) []cobra.Completion {
	return slices.DeleteFunc(a.keysInUse(args, begun), func(k string) bool {
		key, _, _ := strings.Cut(k, "\t")
		return slices.Contains(args, key)
	})
}

// assignedKeys are the keys in use behind the NAME= that was begun.
func (a *app) assignedKeys(args []string, begun string) []cobra.Completion {
	name, _, found := strings.Cut(begun, "=")
	if !found {
		return nil
	}
	keys := a.keysInUse(args, begun)
	for i := range keys {
		keys[i] = name + "=" + keys[i]
	}
	return keys
}

// accounts are those that are logged in at the provider that args name.
func (a *app) accounts(args []string, _ string) (accounts []cobra.Completion) {
	for _, c := range a.credentialsThere() {
		if len(args) > 0 && c.Key.Provider == args[0] {
			accounts = append(accounts, cobra.CompletionWithDesc(c.Key.Account, credentialState(c)))
		}
	}
	return accounts
}

// providers are all names of providers.
func (a *app) providers([]string, string) (names []cobra.Completion) {
	dirs, err := config.FindDirs(a.getenv)
	if err != nil {
		return nil
	}
	for _, p := range catalogue(dirs).List() {
		if credential.CheckName(p.Name) == nil {
			names = append(names, cobra.CompletionWithDesc(p.Name, show(p.Title)))
		}
	}
	return names
}

// pendingLogins are the logins that wait for something, by key and by id.
func (a *app) pendingLogins([]string, string) (logins []cobra.Completion) {
	store, ok := a.storeThere()
	if !ok {
		return nil
	}
	now := time.Now()
	for l, err := range store.ListLogins(context.Background()) {
		if err == nil && l.Live() {
			what := "expires " + when(l.ExpiresAt, now) + ", asked by " + show(l.Origin)
			logins = append(logins, cobra.CompletionWithDesc(l.Key.String(), what),
				cobra.CompletionWithDesc(l.ID, l.Key.String()+", "+what))
		}
	}
	return logins
}
