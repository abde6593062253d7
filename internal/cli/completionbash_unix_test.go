//go:build unix

package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// press is what a bash script does that completes a line as the shell does when
// the tab key is pressed at its end.
const press = `
set -u
source <(usher completion bash)
press() {
	COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9
	read -r -a COMP_WORDS <<<"$1"
	[[ $1 == *' ' ]] && COMP_WORDS+=("")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMPREPLY=()
	__start_usher 2>/dev/null # compopt is for a shell that somebody types at
	printf '%s|' "${COMPREPLY[@]+"${COMPREPLY[@]}"}"
	echo
}
while IFS= read -r line; do press "$line"; done
`

// The script that is printed works in a bash without any package, and its words
// are those that complete the line.
func TestCompletionInBash(t *testing.T) {
	i, pending := furnished(t)
	bin := t.TempDir()
	if err := os.Symlink(self(t), filepath.Join(bin, "usher")); err != nil {
		t.Fatal(err)
	}
	rows := []struct{ line, want string }{
		{"usher tok", "token"},
		{"usher token qwen-oauth/", "qwen-oauth/work"},
		{"usher token h", ""},
		{"usher login --flow=dev", "device"},
		{"usher exec --env A=qwen-oauth/", "qwen-oauth/work"}, // to bash, = begins a word
		{"usher login cancel " + pending[:8], pending},
	}
	var lines []string
	for _, r := range rows {
		lines = append(lines, r.line)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "--norc", "--noprofile", "-c", press)
	cmd.Env = append(i.environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if err != nil || complaints.Len() > 0 || len(got) != len(rows) {
		t.Fatalf("bash: %v\n%s\n%s", err, out, &complaints)
	}
	for n, r := range rows {
		if g := strings.TrimRight(strings.TrimSuffix(got[n], "|"), " "); g != r.want {
			t.Errorf("%s: completed to %q, want %q", r.line, g, r.want)
		}
	}
}

// The command that exec runs is completed as the shell completes commands.
func TestCompletionOfPrograms(t *testing.T) {
	i := install(t)
	one, two := t.TempDir(), t.TempDir()
	for path, perm := range map[string]os.FileMode{
		filepath.Join(one, "prog-a"): 0o755, filepath.Join(one, "prog-text"): 0o644, filepath.Join(two, "prog-a"): 0o755,
		filepath.Join(two, "prog-b"): 0o755, filepath.Join(two, "other"): 0o755,
	} {
		if err := os.WriteFile(path, nil, perm); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(one, "prog-folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	i.env["PATH"] = one + ":" + filepath.Join(one, "none") + ":" + two
	for line, want := range map[string]string{
		"exec github -- prog": "prog-a prog-b", "exec github --refresh -- o": "other", "exec github -- prog-a prog": "", "exec github -- ./prog": "",
	} {
		if got, files := i.completions(strings.Split(line, " ")...); strings.Join(got, " ") != want || !files {
			t.Errorf("usher %s: %q, files %t", line, got, files)
		}
	}
}
