package shell_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/shell"
)

func TestLines(t *testing.T) {
	for _, test := range []struct {
		shell         shell.Shell
		value, export string
	}{
		{shell.Sh, "plain", `export A='plain'`},
		{shell.Sh, `it's "$(x)" \ !`, `export A='it'\''s "$(x)" \ !'`},
		{shell.Sh, "", `export A=''`},
		{shell.Fish, "plain", `set -gx A 'plain';`},
		{shell.Fish, `it's "$(x)" \ \'`, `set -gx A 'it\'s "$(x)" \\ \\\'';`},
		{shell.PowerShell, "plain", `$env:A = 'plain'`},
		{shell.PowerShell, "it's `$(x) \u2018\u2019\u201a\u201b \u201c", "$env:A = 'it''s `$(x) \u2018\u2018\u2019\u2019\u201a\u201a\u201b\u201b \u201c'"},
	} {
		if got, err := test.shell.Export("A", test.value); err != nil || got != test.export {
			t.Errorf("%s of %q:\ngot  %s, %v\nwant %s", test.shell, test.value, got, err, test.export)
		}
	}
	for s, want := range map[shell.Shell]string{
		shell.Sh: "unset A", shell.Fish: "set -e A;", shell.PowerShell: "Remove-Item -ErrorAction SilentlyContinue Env:A",
	} {
		if got := s.Unset("A"); got != want {
			t.Errorf("%s: got %s", s, got)
		}
		for _, value := range []string{"a\nb", "a\rb", "a\x00b"} {
			if got, err := s.Export("A", value); err == nil {
				t.Errorf("%s of %q: got %q", s, value, got)
			}
		}
	}
}

func TestParse(t *testing.T) {
	for name, want := range map[string]shell.Shell{
		"sh": shell.Sh, "bash": shell.Sh, "zsh": shell.Sh, "dash": shell.Sh, "fish": shell.Fish, "Fish": shell.Fish,
		"pwsh": shell.PowerShell, "powershell": shell.PowerShell, "pwsh.exe": shell.PowerShell, "bash.exe": shell.Sh,
	} {
		if got, err := shell.Parse(name); err != nil || got != want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "tcsh", "cmd", "/bin/sh", "python"} {
		if got, err := shell.Parse(name); err == nil {
			t.Errorf("%q: got %q", name, got)
		}
	}
}

func TestDetect(t *testing.T) {
	for _, test := range []struct {
		goos string
		env  map[string]string
		want shell.Shell
	}{
		{"linux", map[string]string{"SHELL": "/bin/bash"}, shell.Sh},
		{"linux", map[string]string{"SHELL": "/usr/bin/fish"}, shell.Fish},
		{"linux", map[string]string{"SHELL": "/bin/bash", "PSModulePath": "/x"}, shell.PowerShell},
		{"linux", map[string]string{"SHELL": "/usr/bin/pwsh"}, shell.PowerShell},
		{"linux", map[string]string{"SHELL": "/bin/tcsh"}, shell.Sh},
		{"linux", nil, shell.Sh},
		{"darwin", map[string]string{"SHELL": "/bin/zsh"}, shell.Sh},
		{"windows", map[string]string{"PSModulePath": `C:\x`}, shell.PowerShell},
		{"windows", nil, shell.PowerShell},
		{"windows", map[string]string{"SHELL": `C:\Git\usr\bin\bash.exe`, "PSModulePath": `C:\x`}, shell.Sh},
	} {
		if got := shell.Detect(test.goos, func(name string) string { return test.env[name] }); got != test.want {
			t.Errorf("%s %v: got %s, want %s", test.goos, test.env, got, test.want)
		}
	}
}

// FuzzSh: a real shell gives each value back as it is, and runs nothing in it.
func FuzzSh(f *testing.F) {
	for _, seed := range []string{"", "at_abc-DEF_123.~+/=", "'", "''", `'\''`, `"$(echo x)"`, "`id`", `\`, "a b\tc", "!x", "*", "~", "$A", "#", "-n", "é\u2018", "\xff\xfe", "';exit 9;'"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		line, err := shell.Sh.Export("A", value)
		if err != nil {
			if !strings.ContainsAny(value, "\x00\n\r") {
				t.Errorf("%q: %v", value, err)
			}
			return
		}
		cmd := exec.Command("/bin/sh")
		cmd.Stdin = strings.NewReader(line + "\nprintf %s. \"$A\"\n")
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != value+"." {
			t.Errorf("%q becomes %q, %v", value, out, err)
		}
	})
}

// FuzzFish and FuzzPowerShell read the lines by the rules of those shells.
func FuzzFish(f *testing.F) {
	for _, seed := range []string{"", `\`, "'", `\'`, `a'b\c`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		line, err := shell.Fish.Export("A", value)
		if err != nil {
			return
		}
		quoted, ok := strings.CutPrefix(strings.TrimSuffix(line, ";"), "set -gx A '")
		var got strings.Builder
		for ; ok && quoted != "'"; quoted = quoted[1:] {
			if quoted == "" || quoted[0] == '\'' {
				t.Fatalf("%q: %s ends early", value, line)
			}
			if quoted[0] == '\\' && (quoted[1] == '\\' || quoted[1] == '\'') {
				quoted = quoted[1:]
			}
			got.WriteByte(quoted[0])
		}
		if got.String() != value {
			t.Errorf("%q becomes %q by %s", value, got.String(), line)
		}
	})
}

func FuzzPowerShell(f *testing.F) {
	for _, seed := range []string{"", "'", "\u2019", "a'\u2018b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		value = strings.ToValidUTF8(value, "") // its strings are text
		line, err := shell.PowerShell.Export("A", value)
		if err != nil {
			return
		}
		const quotes = "'\u2018\u2019\u201a\u201b"
		inside, ok := strings.CutPrefix(line, "$env:A = '")
		runes := []rune(strings.TrimSuffix(inside, "'"))
		var got []rune
		for i := 0; ok && i < len(runes); i++ {
			if strings.ContainsRune(quotes, runes[i]) {
				if i++; i == len(runes) || !strings.ContainsRune(quotes, runes[i]) {
					t.Fatalf("%q: %s ends early", value, line)
				}
			}
			got = append(got, runes[i])
		}
		if string(got) != value {
			t.Errorf("%q becomes %q by %s", value, string(got), line)
		}
	})
}
