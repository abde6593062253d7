package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// command completes what stands behind --, the command of somebody else: programs
// for its first word, and what the shell makes of the others, which is files.
func (a *app) command(words []string, begun string) []cobra.Completion {
	if len(words) > 0 || strings.ContainsRune(begun, filepath.Separator) {
		return nil
	}
	var names []cobra.Completion
	for _, dir := range filepath.SplitList(a.getenv("PATH")) {
		entries, _ := os.ReadDir(dir) // a folder that is not there has none
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), begun) && executable(filepath.Join(dir, e.Name())) {
				names = append(names, e.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// executable reports whether the file at path can be run.
func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
