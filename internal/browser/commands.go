package browser

import (
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// notBrowsers are values of BROWSER that open no window: browsers in a terminal,
// of which we have none to spare, and what people write to have none at all.
var notBrowsers = []string{
	"www-browser", "lynx", "w3m", "links", "links2", "elinks", "browsh", "carbonyl",
	"none", "no", "false", "true", "echo", ":",
}

// chosen are the commands of the variable BROWSER for link, the first one that is
// there to be used: a list as of PATH, each a program with arguments that blanks
// separate, where %s is the link, %% is % and %c is a colon. A command without %s
// gets the link as its last argument.
func chosen(value, link string) [][]string {
	var commands [][]string
	for _, entry := range filepath.SplitList(value) {
		words := strings.Fields(entry)
		if p, err := exec.LookPath(entry); err == nil {
			words = []string{p} // a path with blanks in it
		}
		if len(words) == 0 || strings.Contains(words[0], "%s") || isNoBrowser(words[0]) {
			continue
		}
		fill := strings.NewReplacer("%s", link, "%%", "%", "%c", ":")
		argv := words
		if !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, "%s") }) {
			argv = append(argv, "%s")
		}
		for i, word := range argv[1:] {
			argv[i+1] = fill.Replace(word)
		}
		commands = append(commands, argv)
	}
	return commands
}

func isNoBrowser(program string) bool { return slices.Contains(notBrowsers, path.Base(program)) }
