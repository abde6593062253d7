package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/usherauth/usher/credential"
)

// Accounts are the rules of the table [accounts] of config.toml, sorted by
// folder: which account is meant in a folder, for keys that name none.
type Accounts []FolderAccounts

// FolderAccounts is the rule for one folder and all below it.
type FolderAccounts struct {
	// Folder is the folder as the file says it, such as ~/work.
	Folder string
	// Path is where that is.
	Path string
	// Keys are the accounts, at most one of a provider.
	Keys []credential.Key
}

// For is the account of the provider that the rule names, if it names one.
func (f FolderAccounts) For(provider string) (credential.Key, bool) {
	i := slices.IndexFunc(f.Keys, func(k credential.Key) bool { return k.Provider == provider })
	if i < 0 {
		return credential.Key{}, false
	}
	return f.Keys[i], true
}

// Holding returns the rules for dir and the folders above it, the nearest first.
// Links are followed on both sides, and whether case matters is the file system's
// to say: folders are the same if the file system says so.
func (a Accounts) Holding(dir string) (Accounts, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	var holding Accounts
	for {
		here, err := os.Stat(dir)
		if err != nil {
			return nil, err
		}
		for _, rule := range a {
			// A folder that cannot be looked at is none that we are in.
			if there, err := os.Stat(rule.Path); err == nil && os.SameFile(here, there) {
				holding = append(holding, rule)
			}
		}
		above := filepath.Dir(dir)
		if above == dir {
			return holding, nil
		}
		dir = above
	}
}

// readAccounts makes rules of the table; home is the folder that ~ stands for.
func readAccounts(table map[string][]string, home string) (rules Accounts, key, problem string) {
	for _, folder := range slices.Sorted(maps.Keys(table)) {
		names := table[folder]
		path, problem := expand(folder, home)
		if problem != "" {
			return nil, "accounts." + quoted(folder), problem
		}
		rule := FolderAccounts{Folder: folder, Path: path}
		for _, name := range names {
			k, err := credential.ParseKey(name)
			if err != nil {
				return nil, "accounts." + quoted(folder), err.Error()
			}
			if other, twice := rule.For(k.Provider); twice {
				return nil, "accounts." + quoted(folder), fmt.Sprintf("%s is there twice: %s and %s", k.Provider, other.Path(), k.Path())
			}
			rule.Keys = append(rule.Keys, k)
		}
		rules = append(rules, rule)
	}
	return rules, "", ""
}

// expand is the path of a folder that may begin with ~.
func expand(folder, home string) (path, problem string) {
	rest, ok := strings.CutPrefix(folder, "~")
	switch {
	case strings.ContainsRune(folder, 0):
		return "", "is no folder"
	case ok && (rest == "" || os.IsPathSeparator(rest[0])):
		if !filepath.IsAbs(home) {
			return "", homeVariable() + " is not set to an absolute path, so ~ stands for nothing"
		}
		return filepath.Join(home, rest), ""
	case filepath.IsAbs(folder):
		return filepath.Clean(folder), ""
	}
	return "", "must be an absolute path, or begin with ~/"
}

// quoted is a folder as it stands before the = of a line in TOML.
func quoted(folder string) string { return fmt.Sprintf("%q", folder) }

// homeVariable names the variable with the user's folder.
func homeVariable() string {
	if runtime.GOOS == "windows" {
		return "USERPROFILE"
	}
	return "HOME"
}
