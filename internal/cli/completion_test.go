package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/usherauth/usher/sandbox"
)

// completions are what a shell is told about the last of args: candidates, with a
// tab before their descriptions, and whether files are wanted.
func (i *installation) completions(args ...string) (candidates []string, files bool) {
	i.t.Helper()
	r := i.run(append([]string{cobra.ShellCompRequestCmd}, args...)...)
	lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
	last := len(lines) - 1
	if r.code != 0 || !strings.HasPrefix(lines[last], ":") {
		i.t.Fatalf("completing %q: exit %d, stdout %q, stderr %q", args, r.code, r.out, r.err)
	}
	return lines[:last], lines[last] == ":0"
}

// imported makes a credential of key at once.
func (i *installation) imported(key string) {
	i.t.Helper()
	file := filepath.Join(i.t.TempDir(), "creds.json")
	text, err := json.Marshal(map[string]any{
		"access_token": "a-" + key, "refresh_token": "r-" + key, "token_type": "Bearer",
		"expiry_date": time.Now().Add(time.Hour).UnixMilli(),
	})
	if err != nil {
		i.t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		i.t.Fatal(err)
	}
	i.must("import", "qwen", file, "--key", key)
}

// furnished is an installation with something to complete.
func furnished(t *testing.T) (i *installation, pending string) {
	i = install(t)
	i.sandbox(sandbox.Config{})
	i.imported("qwen-oauth")
	i.imported("qwen-oauth/work")
	_, l := i.pendingLogin()
	return i, l.ID
}

func TestCompletion(t *testing.T) {
	i, pending := furnished(t)
	const none, files = "", "FILES"
	for _, tt := range []struct{ line, want string }{
		{"tok", "token\tprint an access token"},
		{"token ", "qwen-oauth\tlogged in|qwen-oauth/work\tlogged in"},
		{"token qwen-oauth/", "qwen-oauth/work\tlogged in"},
		{"token h", none},
		{"token qwen-oauth ", none},
		{"token --format ", "token|header\tAuthorization: Bearer TOKEN|json|exec-credential\tfor kubectl"},
		{"token --format=h", "header\tAuthorization: Bearer TOKEN"},
		{"token qwen-oauth --account ", "default\tlogged in|work\tlogged in"},
		{"token --min-ttl ", none},
		{"logout q", "qwen-oauth\tlogged in|qwen-oauth/work\tlogged in"},
		{"status qwen-oauth/w", "qwen-oauth/work\tlogged in"},
		{"env q", "qwen-oauth\tlogged in|qwen-oauth/work\tlogged in"},
		{"env --shell p", "powershell"},
		{"exec qwen-oauth ", "qwen-oauth/work\tlogged in"},
		{"exec --env TOKEN=qwen-oauth/", "TOKEN=qwen-oauth/work\tlogged in"},
		{"exec qwen-oauth -- ls ", files},
		{"exec qwen-oauth -- there-is-no-such", files},
		{"exec --fd 3=qwen-oauth/", "3=qwen-oauth/work\tlogged in"},
		{"exec --file ", none},
		{"exec --file F=qwen-oauth/", "F=qwen-oauth/work\tlogged in"},
		{"setup git q", "qwen-oauth\tlogged in|qwen-oauth/work\tlogged in"},
		{"setup git --file ", files},
		{"setup g", "git\tlet git ask usher"},
		{"login qwen-oauth/", "qwen-oauth/work\tlogged in"},
		{"login her", "here\there"},
		{"login --flow ", "auto\tdevice where the provider has it|device\tapprove with a code on any device|code\tlog in in a browser, which comes back"},
		{"login --qr n", "never"},
		{"login --share-with ", "qwen"},
		{"login --scope ", none},
		{"login canc", "cancel\tcancel a login"},
		{"login wait h", "here\tPENDING"},
		{"login cancel " + pending[:8], pending + "\there, PENDING"},
		{"login complete " + pending[:8], pending + "\there, PENDING"},
		{"provider show her", "here\there"},
		{"provider add x --auth-style ", "none|post|basic"},
		{"provider add x --client-secret-file ", files},
		{"provider add x --dialect g", "github"},
		{"sandbox --rotation ", "strict|grace|none"},
		{"sandbox --faults ", files},
		{"serve --audit-log ", files},
		{"watch --type login.a", "login.authorized"},
		{"watch --key qwen-oauth/", "qwen-oauth/work\tlogged in"},
		{"import ", "qwen"},
		{"import qwen ", files},
		{"help exi", "exit-codes\twhat the exit codes mean"},
		{"help provider a", "add\tadd a provider"},
		{"completion z", "zsh"},
		{"demo ", none},
	} {
		got, wantsFiles := i.completions(strings.Split(tt.line, " ")...)
		if wantsFiles != (tt.want == files) {
			t.Errorf("usher %s: files are wanted: %t", tt.line, wantsFiles)
		}
		want := strings.Split(tt.want, "|")
		if tt.want == none || tt.want == files {
			want = []string{}
		}
		for n := range got {
			got[n] = regexp.MustCompile(`expires in \d+ .*, asked by .+@.+`).ReplaceAllString(got[n], "PENDING")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("usher %s (-want +got):\n%s", tt.line, diff)
		}
	}
}

// What is logged in comes before the providers, which come once.
func TestCompletionOfLogin(t *testing.T) {
	i, _ := furnished(t)
	all, _ := i.completions("login", "")
	var keys []string
	for _, c := range all {
		key, what, _ := strings.Cut(c, "\t")
		if cmd, _, err := (&app{getenv: func(string) string { return "" }}).root().Find([]string{"login", key}); err == nil && cmd.Name() == "login" {
			keys = append(keys, key+": "+what)
		}
	}
	want := []string{"qwen-oauth: logged in", "qwen-oauth/work: logged in", "here: here", "qwen-oauth-staging: Qwen OAuth (staging)", "sandbox: usher sandbox"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// Pressing a key in a shell neither makes a data folder nor complains.
func TestCompletionLeavesNoTrace(t *testing.T) {
	i := install(t)
	if err := os.MkdirAll(filepath.Join(filepath.Dir(i.dir), "providers"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"broken.toml": "issuer = ", "evil;id.toml": "title = 'x'",
		"loud.toml": "issuer = \"https://op.example\"\nclient_id = \"x\"\ntitle = \"a\\u001b[2Jb\"\n",
		"good.toml": "issuer = \"https://op.example\"\nclient_id = \"x\"\ntitle = \"A good one\"\n",
	} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(i.dir), "providers", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"token ", "login ", "login wait ", "provider show ", "exec --env X=", "token x --account "} {
		args := append([]string{cobra.ShellCompRequestCmd}, strings.Split(line, " ")...)
		r := i.run(args...)
		if r.code != 0 || strings.Contains(r.out, "evil") || strings.ContainsAny(r.out, "\x1b\r") || strings.Contains(r.err, "warning") {
			t.Errorf("usher %s: exit %d, stdout %q, stderr %q", line, r.code, r.out, r.err)
		}
		if line == "login " && !strings.Contains(r.out, "\ngood\tA good one\n") {
			t.Errorf("usher %s: stdout %q", line, r.out)
		}
	}
	if _, err := os.Lstat(i.dir); err == nil {
		t.Error("completing has made the data folder")
	}
}

// Each value that is offered for a flag is one that the command takes.
func TestCompletedValuesAreValid(t *testing.T) {
	i := install(t)
	for flag, command := range map[string]string{
		"flow": "login nowhere", "qr": "login nowhere", "share-with": "login nowhere",
		"format": "token nowhere --no-prompt", "shell": "env nowhere --no-prompt",
		"auth-style": "provider add x --issuer https://op.example --client-id x --force", "dialect": "provider add x --issuer https://op.example --client-id x --force",
		"expect": "status", "type": "watch",
		"approve": "sandbox --listen 127.0.0.1:0 --until-eof", "rotation": "sandbox --listen 127.0.0.1:0 --until-eof",
	} {
		args := strings.Fields(command)
		offered, _ := i.completions(append(args, "--"+flag, "")...)
		if len(offered) < 1 {
			t.Errorf("usher %s --%s: nothing is offered", command, flag)
		}
		complaint := func(value string) string { return i.run(append(args, "--"+flag, value)...).err }
		if nonsense := complaint("nonsense"); !strings.Contains(nonsense, "nonsense") && !strings.Contains(nonsense, flag) {
			t.Errorf("usher %s --%s nonsense is accepted: %s", command, flag, nonsense)
		}
		for _, o := range offered {
			value, _, _ := strings.Cut(o, "\t")
			if err := complaint(value); strings.Contains(err, "--"+flag) || strings.Contains(err, flag+" ") {
				t.Errorf("usher %s --%s %s: %s", command, flag, value, err)
			}
		}
	}
}

func TestCompletionCommand(t *testing.T) {
	i := install(t)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := i.run("completion", shell); r.code != 0 || !strings.Contains(r.out, "usher") || r.err != "" {
			t.Errorf("usher completion %s: exit %d, stderr %q", shell, r.code, r.err)
		}
	}
	if r := i.run("completion", "csh"); r.code != 2 || r.out != "" {
		t.Errorf("usher completion csh: exit %d, stdout %q", r.code, r.out)
	}
}

func BenchmarkCompletion(b *testing.B) {
	dir := b.TempDir()
	env := map[string]string{"USHER_HOME": filepath.Join(dir, "data"), "USHER_CONFIG": filepath.Join(dir, "config.toml"), "HOME": dir}
	for b.Loop() {
		var out safeBuffer
		Main(b.Context(), []string{cobra.ShellCompRequestCmd, "login", ""}, Stdio{
			In: strings.NewReader(""), Out: &out, Err: &out, Getenv: func(name string) string { return env[name] },
		})
		if !strings.Contains(out.String(), "sandbox") {
			b.Fatal(out.String())
		}
	}
}
