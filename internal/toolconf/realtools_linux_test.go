package toolconf

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// realTool runs a tool, which must be installed.
func realTool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+t.TempDir(), "LC_ALL=C")
	out, err := cmd.Output()
	if _, broke := err.(*exec.ExitError); err != nil && !broke {
		t.Fatalf("%s, which tools/setup.sh installs: %v", name, err)
	}
	return string(out), err
}

// git itself reads the same from a file as we do, and refuses the same.
func TestGitReadsTheSame(t *testing.T) {
	texts := []string{
		"[a]\n\tb", "[a]b=c", "[A.B]\nC = d\n", "[a \"B c\"]\nd = e # f\n", "[a \"b\\\"c\\\\d\\e\"]\nf = g",
		"[a]\nb = \" c \" ; d\n", "[a]\nb = c \\\n d\n", "[a]\nb = \"c\\\nd\"\n", "[a]\nb = c\\td\\\\e\\\"\n",
		"[a]\r\nb = c\r\n", bom + "[a]\nb = c\n", "# x\n; y\n\n  [a]   \n  b   =   c   d   \n", "[a]\nb =\n", "[a]\nb = c\"d e\"f\n",
		"[a] b = c\n[d]\n", "[a-b.c]\nd-e = f\n", "[a]\nb = c;d\n", "[a]\nb = \"c;d\"\n", "",
		"[a\nb = c\n", "[a]\nb = \"c\n", "[a]\nb c\n", "[a]\n1 = c\n", "[a]\nb = \\c\n", "[]\nb = c\n",
		"[a b]\nc = d\n", "[a \"b]\nc = d\n", "[a]\nb_c = d\n", "[a \"b\"c]\nd = e\n", "[a \t\"b\"]\nd = e\n", "[ a]\nb = c\n",
	}
	for _, tt := range goldens {
		if tt.tool == "git" {
			texts = append(texts, tt.want)
		}
	}
	for _, text := range texts {
		p := newPlace(t, "git", text)
		printed, err := realTool(t, "git", "config", "--file", p.Path, "--list", "--null")
		file, ours := readGit(text)
		if (err == nil) != (ours == nil) {
			t.Errorf("%q: git says %v, and we %v", text, err, ours)
			continue
		}
		if err != nil {
			continue
		}
		var got, want []string
		for _, l := range file.lines {
			got = append(got, l.section+"."+l.key+"\n"+l.value)
		}
		for one := range strings.SplitSeq(strings.TrimSuffix(printed, "\x00"), "\x00") {
			if one == "" {
				continue
			}
			if !strings.Contains(one, "\n") {
				one += "\n" // a variable without =
			}
			want = append(want, one)
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%q: got %q, git says %q", text, got, want)
		}
	}
}

// kubectl itself finds the user that we wrote, in every layout that we write in.
func TestKubectlReadsIt(t *testing.T) {
	for _, tt := range goldens {
		if tt.tool != "kubectl" {
			continue
		}
		p := newPlace(t, tt.tool, tt.before)
		p.setup(tt.items...)
		printed, err := realTool(t, "kubectl", "config", "view", "--kubeconfig", p.Path, "-o", "json")
		var config struct {
			Users []struct {
				Name string
				User struct {
					Exec struct {
						APIVersion, Command string
						Args                []string
					}
				}
			}
			Contexts []struct {
				Name    string
				Context struct{ User string }
			}
		}
		if err != nil || json.Unmarshal([]byte(printed), &config) != nil {
			t.Errorf("%s: %v, %s%s", tt.name, err, printed, said(err))
			continue
		}
		found := map[string]bool{}
		for _, u := range config.Users {
			e := u.User.Exec
			found[KubeUser+u.Name+" "+strings.Join(append([]string{e.APIVersion, e.Command}, e.Args...), " ")] = true
		}
		for _, c := range config.Contexts {
			found[KubeContext+c.Name+" "+c.Context.User] = true
		}
		for _, item := range tt.items {
			if !found[item.Name+" "+strings.Join(item.Args, " ")] {
				t.Errorf("%s: kubectl does not see %+v:\n%s", tt.name, item, printed)
			}
		}
	}
}

// said is what a tool that failed had to say.
func said(err error) string {
	if exit, ok := err.(*exec.ExitError); ok {
		return string(exit.Stderr)
	}
	return ""
}
