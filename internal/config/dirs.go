package config

import (
	"fmt"
	"path/filepath"
	"runtime"
)

// Dirs are the places of one user's installation. The paths are absolute and
// clean; nothing is created and nothing is looked at to find them.
type Dirs struct {
	// Home is the data directory: $USHER_HOME, else usher in the user's data
	// directory ($XDG_DATA_HOME or ~/.local/share, ~/Library/Application
	// Support on macOS, %LocalAppData% on Windows).
	Home string
	// ConfigFile is config.toml: $USHER_CONFIG, else usher/config.toml in the
	// user's configuration directory ($XDG_CONFIG_HOME or ~/.config,
	// ~/Library/Application Support on macOS, %AppData% on Windows).
	ConfigFile string
	// ProvidersDir is providers beside ConfigFile, with one file a provider.
	ProvidersDir string
	// RuntimeDir is $XDG_RUNTIME_DIR, a directory for sockets that lasts as
	// long as the user's session; empty where there is none.
	RuntimeDir string
}

// FindDirs derives the places from the environment that getenv reads, usually
// [os.Getenv]. A relative $USHER_HOME or $USHER_CONFIG is relative to the
// working directory; relative XDG variables are ignored, as the XDG base
// directory specification asks. Where nothing says where the user's directories
// are, the error names the variable to set.
func FindDirs(getenv func(string) string) (Dirs, error) {
	return findDirs(runtime.GOOS, getenv)
}

func findDirs(goos string, getenv func(string) string) (Dirs, error) {
	data, config := places(goos)
	home, err := locate(getenv, "USHER_HOME", data, "usher")
	if err != nil {
		return Dirs{}, fmt.Errorf("finding the data directory: %w", err)
	}
	file, err := locate(getenv, "USHER_CONFIG", config, filepath.Join("usher", "config.toml"))
	if err != nil {
		return Dirs{}, fmt.Errorf("finding the configuration file: %w", err)
	}
	return Dirs{
		Home:         home,
		ConfigFile:   file,
		ProvidersDir: filepath.Join(filepath.Dir(file), "providers"),
		RuntimeDir:   absolute(getenv("XDG_RUNTIME_DIR")),
	}, nil
}

// A place is a directory of the user: what a variable says, with sub below it.
type place struct{ variable, sub string }

// places are where programs keep a user's data and configuration. The first
// variable that is set to an absolute path decides.
func places(goos string) (data, config []place) {
	switch goos {
	case "darwin":
		support := []place{{"HOME", "Library/Application Support"}}
		return support, support
	case "windows":
		return []place{{"LocalAppData", ""}}, []place{{"AppData", ""}}
	}
	return []place{{"XDG_DATA_HOME", ""}, {"HOME", ".local/share"}},
		[]place{{"XDG_CONFIG_HOME", ""}, {"HOME", ".config"}}
}

// locate is what the override variable says, or name in the first of the places.
func locate(getenv func(string) string, override string, in []place, name string) (string, error) {
	if path := getenv(override); path != "" {
		return filepath.Abs(path)
	}
	for _, p := range in {
		if dir := absolute(getenv(p.variable)); dir != "" {
			return filepath.Join(dir, p.sub, name), nil
		}
	}
	return "", fmt.Errorf("%s is not set to an absolute path: set it, or set %s", in[len(in)-1].variable, override)
}

// absolute is path cleaned, or empty if it is not absolute.
func absolute(path string) string {
	if !filepath.IsAbs(path) {
		return ""
	}
	return filepath.Clean(path)
}
