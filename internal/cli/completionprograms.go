package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// programs are what the first word of a command can be; nothing for the words after
// it, before which are words, nor for a path.
func (a *app) programs(words []string, begun string) []cobra.Completion {
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
