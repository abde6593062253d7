package cli

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

const versionHelp = `Print the version.

usage: usher version [flags]

  --json   print it as JSON, with what it was built from

example:
  usher version --json
`

// buildVersion is what is known about this binary.
type buildVersion struct {
	Version string `json:"version"`
	// Commit is empty if the build did not know it.
	Commit string `json:"commit,omitempty"`
	// Modified tells that the source differed from Commit.
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// readVersion reads what the Go tool wrote into the binary.
func readVersion() buildVersion {
	v := buildVersion{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func (v buildVersion) String() string {
	text := "usher " + v.Version
	if v.Commit != "" {
		text += ", commit " + v.Commit
	}
	if v.Modified {
		text += " (modified)"
	}
	return text + ", " + v.Go + " " + v.Platform
}

func (a *app) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := a.command(&cobra.Command{
		Use: "version", Short: "print the version", Long: versionHelp, Args: arguments(),
	}, func(context.Context, []string) error {
		if asJSON {
			return a.printJSON(readVersion())
		}
		return a.printf("%s\n", readVersion())
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
