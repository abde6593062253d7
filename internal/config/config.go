// Package config finds the places where the program keeps its data and its
// configuration, and reads config.toml. Use [Load] first; it is all there is.
//
// Providers are not part of config.toml. Each has a file of its own in
// [Config.ProvidersDir], which package provider reads.
package config

import (
	"errors"
	"io/fs"

	"github.com/usherauth/usher/internal/conffile"
)

// Config is where things are and what config.toml says. It is a plain value.
type Config struct {
	Dirs
	// Serve holds the settings of the daemon.
	Serve Serve
	// Accounts says which account is meant in which folder.
	Accounts Accounts
}

// Serve is the table [serve] of config.toml. A flag of the command wins over it.
type Serve struct {
	// Listen is the TCP address that the daemon listens on, as host:port; empty
	// for the built-in default.
	Listen string `toml:"listen"`
	// AllowOrigin are origins of web pages that may use the daemon; the server
	// judges their form.
	AllowOrigin []string `toml:"allow_origin"`
	// RequireAuth asks for the bearer token on /health too.
	RequireAuth bool `toml:"require_auth"`
	// RateLimit bounds how often one client may ask.
	RateLimit bool `toml:"rate_limit"`
	// RateLimitRead and RateLimitMutation are the requests per
	// RateLimitWindow, a duration such as 1m; 0 and empty for the built-in
	// defaults.
	RateLimitRead     int    `toml:"rate_limit_read"`
	RateLimitMutation int    `toml:"rate_limit_mutation"`
	RateLimitWindow   string `toml:"rate_limit_window"`
	// AuditLog is the absolute path of the audit log; empty for none.
	AuditLog string `toml:"audit_log"`
}

// document is config.toml.
type document struct {
	Serve    Serve               `toml:"serve"`
	Accounts map[string][]string `toml:"accounts"`
}

// Load finds the directories as [FindDirs] does and reads config.toml there. A
// missing file means that every setting has its default. A key that is not
// known, or a value of the wrong type, is a *[conffile.Error] that names its
// place; the file is taken whole or not at all.
func Load(getenv func(string) string) (Config, error) {
	dirs, err := FindDirs(getenv)
	if err != nil {
		return Config{}, err
	}
	data, _, err := conffile.Read(dirs.ConfigFile, conffile.MaxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{Dirs: dirs}, nil
	}
	if err != nil {
		return Config{}, err
	}
	var doc document
	if err := conffile.Decode(dirs.ConfigFile, data, &doc); err != nil {
		return Config{}, err
	}
	if key, problem := doc.Serve.mistake(); problem != "" {
		return Config{}, &conffile.Error{Path: dirs.ConfigFile, Key: "serve." + key, Problem: problem}
	}
	accounts, key, problem := readAccounts(doc.Accounts, getenv(homeVariable()))
	if problem != "" {
		return Config{}, &conffile.Error{Path: dirs.ConfigFile, Key: key, Problem: problem}
	}
	return Config{Dirs: dirs, Serve: doc.Serve, Accounts: accounts}, nil
}
