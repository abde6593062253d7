package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFindDirs(t *testing.T) {
	// Paths in the form of the machine that runs the test, which is not always
	// that of the system whose rules are tested.
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	home := at("home")

	for _, test := range []struct {
		name, goos string
		env        map[string]string
		want       Dirs
	}{
		{"linux", "linux", map[string]string{"HOME": home}, Dirs{
			Home: at("home/.local/share/usher"), ConfigFile: at("home/.config/usher/config.toml"),
			ProvidersDir: at("home/.config/usher/providers"),
		}},
		{"linux with XDG", "linux", map[string]string{
			"HOME": home, "XDG_DATA_HOME": at("data"), "XDG_CONFIG_HOME": at("conf"), "XDG_RUNTIME_DIR": at("run"),
		}, Dirs{
			Home: at("data/usher"), ConfigFile: at("conf/usher/config.toml"),
			ProvidersDir: at("conf/usher/providers"), RuntimeDir: at("run"),
		}},
		{"relative XDG is ignored", "linux", map[string]string{
			"HOME": home, "XDG_DATA_HOME": "data", "XDG_CONFIG_HOME": "./conf", "XDG_RUNTIME_DIR": "run",
		}, Dirs{
			Home: at("home/.local/share/usher"), ConfigFile: at("home/.config/usher/config.toml"),
			ProvidersDir: at("home/.config/usher/providers"),
		}},
		{"freebsd is like linux", "freebsd", map[string]string{"HOME": home}, Dirs{
			Home: at("home/.local/share/usher"), ConfigFile: at("home/.config/usher/config.toml"),
			ProvidersDir: at("home/.config/usher/providers"),
		}},
		{"darwin", "darwin", map[string]string{"HOME": home, "XDG_DATA_HOME": at("data")}, Dirs{
			Home:         at("home/Library/Application Support/usher"),
			ConfigFile:   at("home/Library/Application Support/usher/config.toml"),
			ProvidersDir: at("home/Library/Application Support/usher/providers"),
		}},
		{"windows", "windows", map[string]string{"LocalAppData": at("local"), "AppData": at("roaming")}, Dirs{
			Home: at("local/usher"), ConfigFile: at("roaming/usher/config.toml"), ProvidersDir: at("roaming/usher/providers"),
		}},
		{"own variables win and need no HOME", "linux", map[string]string{
			"USHER_HOME": at("a/../b/"), "USHER_CONFIG": at("c/my.toml"),
		}, Dirs{Home: at("b"), ConfigFile: at("c/my.toml"), ProvidersDir: at("c/providers")}},
		{"own variables may be relative", "linux", map[string]string{
			"USHER_HOME": "data", "USHER_CONFIG": "conf/config.toml",
		}, Dirs{
			Home: filepath.Join(cwd, "data"), ConfigFile: filepath.Join(cwd, "conf", "config.toml"),
			ProvidersDir: filepath.Join(cwd, "conf", "providers"),
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := findDirs(test.goos, func(name string) string { return test.env[name] })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findDirs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFindDirsNamesTheVariable(t *testing.T) {
	for _, test := range []struct {
		goos string
		env  map[string]string
		want []string
	}{
		{"linux", nil, []string{"data directory", "HOME", "USHER_HOME"}},
		{"linux", map[string]string{"HOME": "relative"}, []string{"data directory", "HOME", "USHER_HOME"}},
		{"linux", map[string]string{"USHER_HOME": "/x"}, []string{"configuration file", "HOME", "USHER_CONFIG"}},
		{"darwin", nil, []string{"data directory", "HOME", "USHER_HOME"}},
		{"windows", map[string]string{"HOME": "/x"}, []string{"data directory", "LocalAppData", "USHER_HOME"}},
		{"windows", map[string]string{"USHER_HOME": "/x"}, []string{"configuration file", "AppData", "USHER_CONFIG"}},
	} {
		_, err := findDirs(test.goos, func(name string) string { return test.env[name] })
		if err == nil {
			t.Errorf("findDirs(%s, %v): got no error", test.goos, test.env)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("findDirs(%s, %v): got %q, want %q in it", test.goos, test.env, err, want)
			}
		}
	}
}
