package cli

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Each command, topic and flag that people may use has its place in the manual,
// and the manual has no other.
func TestManualPagesAreOfTheCommands(t *testing.T) {
	const dir = "../../docs/man/man1"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	surplus := map[string]bool{}
	for _, e := range entries {
		surplus[e.Name()] = true
	}
	i := install(t)
	root := (&app{getenv: func(name string) string { return i.env[name] }}).root()
	root.InitDefaultHelpCmd()
	each(root, func(cmd *cobra.Command) {
		if cmd.Hidden {
			return
		}
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("usher %s has no page: make docs: %v", cmd.CommandPath(), err)
			return
		}
		delete(surplus, name)
		documented := flagsOf(string(text))
		known := map[string]bool{}
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			known[f.Name] = true
			if !f.Hidden && f.Name != "help" && cmd != root && !slices.Contains(documented, f.Name) {
				t.Errorf("%s does not have --%s: make docs", name, f.Name)
			}
		})
		// A command may tell of the flags that all those below it have.
		each(cmd, func(sub *cobra.Command) { sub.Flags().VisitAll(func(f *pflag.Flag) { known[f.Name] = true }) })
		for _, f := range documented {
			if !known[f] {
				t.Errorf("%s has --%s, which %s has not: make docs", name, f, cmd.CommandPath())
			}
		}
	})
	for name := range surplus {
		t.Errorf("%s is the page of no command: make docs", name)
	}
}

// flagsOf are the flags of the section OPTIONS of a manual page.
func flagsOf(page string) (flags []string) {
	_, options, _ := strings.Cut(page, "\n.SH OPTIONS\n")
	options, _, _ = strings.Cut(options, "\n.SH ")
	flag := regexp.MustCompile(`\\fB\\-\\-([a-z\\-]+)\\fR`)
	for item := range strings.SplitSeq("\n"+options, "\n.TP\n") {
		head, _, _ := strings.Cut(item, "\n")
		for _, m := range flag.FindAllStringSubmatch(head, -1) {
			flags = append(flags, strings.ReplaceAll(m[1], `\-`, "-"))
		}
	}
	return flags
}

// The first screen that a newcomer sees has all commands, and what an agent needs.
func TestHelpOfRootIsOneScreen(t *testing.T) {
	if n := strings.Count(rootHelp, "\n"); n < 24 || n > 40 {
		t.Errorf("usher --help has %d lines, want 24 to 40", n)
	}
	root := (&app{getenv: func(string) string { return "" }}).root()
	for _, cmd := range root.Commands() {
		if !cmd.Hidden && !strings.Contains(rootHelp, cmd.Name()) {
			t.Errorf("usher --help does not have %s", cmd.Name())
		}
	}
	for _, want := range []string{"login KEY --no-wait --json", "login wait", "for programs and agents"} {
		if !strings.Contains(rootHelp, want) {
			t.Errorf("usher --help does not have %q", want)
		}
	}
}

// The topic json leads to each of the schemas, and to none that is not there.
func TestHelpOfJSONHasTheSchemas(t *testing.T) {
	there, err := filepath.Glob("../../docs/schemas/*.json")
	if err != nil || len(there) == 0 {
		t.Fatalf("no schemas: %v", err)
	}
	for i, file := range there {
		there[i] = filepath.Base(file)
	}
	named := regexp.MustCompile(`[a-z-]+\.json`).FindAllString(jsonHelp, -1)
	slices.Sort(named)
	if diff := cmp.Diff(there, slices.Compact(named)); diff != "" {
		t.Errorf("docs/schemas (-there +named):\n%s", diff)
	}
}

// Each command that the README, the documents or a help shows is one that usher
// takes: its words, its flags, its number of arguments.
func TestCommandsThatAreShownAreValid(t *testing.T) {
	i := install(t)
	newRoot := func() *cobra.Command {
		root := (&app{getenv: func(name string) string { return i.env[name] }}).root()
		root.InitDefaultHelpCmd()
		return root
	}
	texts := map[string]string{}
	each(newRoot(), func(cmd *cobra.Command) {
		if _, examples, ok := strings.Cut(cmd.Long, "\nexample"); ok {
			texts["usher help "+cmd.CommandPath()] = examples
		}
	})
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(file)] = codeOf(string(text))
	}
	seen := 0
	for name, text := range texts {
		for _, line := range shownCommands(text) {
			seen++
			root := newRoot() // flags keep what was parsed
			cmd, args, err := root.Find(line)
			if err == nil {
				err = cmd.ParseFlags(args)
			}
			if err == nil && !slices.Contains(args, "--help") {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil && !errors.Is(err, pflag.ErrHelp) {
				t.Errorf("%s: usher %s: %v", name, strings.Join(line, " "), err)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d commands were found", seen)
	}
}

// codeOf are the code blocks of a document, and what begins the rows of its tables.
func codeOf(document string) string {
	var code strings.Builder
	for n, part := range strings.Split(document, "```") {
		if n%2 == 1 {
			code.WriteString(part)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(usher [^`]*)` \\|").FindAllStringSubmatch(document, -1) {
		code.WriteString(m[1] + "\n")
	}
	return code.String()
}

// shownCommands are the command lines of usher in a script, without that word: at
// the beginning of a line, behind a prompt, and where a shell begins a command.
func shownCommands(script string) (lines [][]string) {
	script = strings.ReplaceAll(script, "\\\n", " ")
	begins := regexp.MustCompile(`(?m)(?:^ *(?:\$ )?|[(|&;] ?)usher ([a-z-][^|;&>)<#\n]*)`)
	for _, m := range begins.FindAllStringSubmatch(script, -1) {
		if !strings.HasSuffix(m[1], ":") && !strings.Contains(m[1], "...") { // no sentence, nothing left out
			lines = append(lines, strings.Fields(m[1]))
		}
	}
	return lines
}
