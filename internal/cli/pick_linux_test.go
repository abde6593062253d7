package cli

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/sandbox"
)

// offline keeps the program from reaching the real providers.
func offline(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.Command(self(t), args...)
	cmd.Env = []string{"HTTPS_PROXY=http://127.0.0.1:1", "https_proxy=http://127.0.0.1:1"}
	return cmd
}

// written are the files that the picker has written.
func (i *installation) written() (names []string) {
	i.t.Helper()
	entries, err := os.ReadDir(i.providers())
	if err != nil && !os.IsNotExist(err) {
		i.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (i *installation) providerFile(name string) string {
	i.t.Helper()
	text, err := os.ReadFile(filepath.Join(i.providers(), name))
	if err != nil {
		i.t.Fatal(err)
	}
	return string(text)
}

// What is asked is erased again, and each line fits.
func checkErased(t *testing.T, s *seat, gone ...string) {
	t.Helper()
	shown := s.screen()
	for _, text := range gone {
		if strings.Contains(shown, text) {
			t.Errorf("%q is still there:\n%s", text, shown)
		}
	}
}

// A person picks one that is ready, by number or name.
func TestPickReady(t *testing.T) {
	for _, columns := range []int{80, 40} {
		for name, answer := range map[string]string{"number": "1\n", "name": "here\n", "prefix": "her\n", "an account": "here/work\n"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				i := install(t)
				i.sandbox(auto)
				i.must("login", "here")
				s := i.atTerminal(columns, "login")
				s.awaits("Log in to what?")
				s.awaits("1 here logged in")
				s.awaits("These need a client id of your own: 5 github")
				s.awaits("6 another by ")
				s.awaits("Number or name (Enter alone leaves):")
				for line := range strings.Lines(s.screen()) {
					if len(strings.TrimRight(line, "\n")) > columns {
						t.Errorf("%d columns: %q", columns, line)
					}
				}
				s.types(answer)
				if code, out := s.wait(); code != 0 || out != "" {
					t.Errorf("exit %d, stdout %q", code, out)
				}
				s.awaits("Logged in to here")
				checkErased(t, s, "Log in to what?", "another")
			})
		}
	}
}

// A slip is told and asked about again.
func TestPickSlips(t *testing.T) {
	i := install(t)
	i.sandbox(auto)
	s := i.atTerminal(80, "login")
	for _, step := range [][2]string{
		{"Number or name", "githib\n"},
		{"There is no githib. Did you mean github?", "qwen\n"},
		{"There are 2 that begin with qwen.", "7\n"},
		{"There is no number 7.", "here/A b\n"},
		{"here/A b is no key: an account is a name such as work.", "\x1b\n"},
	} {
		s.awaits(step[0])
		s.types(step[1])
	}
	if code, out := s.wait(); code != api.ExitInterrupted || out != "" {
		t.Errorf("exit %d, stdout %q", code, out)
	}
	eventually(t, "all is shown", func() bool {
		return s.screen() == "usher: nothing was chosen\nhint: to log in later, run: usher login KEY\n"
	})
}

// Whoever goes away leaves nothing behind, wherever they are.
func TestPickLeaves(t *testing.T) {
	leave := map[string]func(s *seat){
		"Enter":   func(s *seat) { s.types("\n") },
		"Ctrl-D":  func(s *seat) { s.types("\x04") },
		"Esc":     func(s *seat) { s.types("\x1b\n") },
		"Ctrl-C":  func(s *seat) { s.types("\x03") },
		"SIGTERM": func(s *seat) { s.signal(syscall.SIGTERM) },
	}
	upTo := map[string][][2]string{
		"at the list":      nil,
		"at the client id": {{"Number or name", "github\n"}, {"Client ID", ""}},
		"at the secret":    {{"Number or name", "github\n"}, {"Client ID", "abc\n"}, {"client secret that", "y\n"}, {"not shown", ""}},
		"at the end":       {{"Number or name", "github\n"}, {"Client ID", "abc\n"}, {"client secret that", "n\n"}, {"Is that right?", ""}},
		"at the address":   {{"Number or name", "another\n"}, {"Address", ""}},
	}
	for where, steps := range upTo {
		for how, leave := range leave {
			if how == "Enter" && where != "at the list" {
				continue // it goes back, or means something
			}
			t.Run(where+", "+how, func(t *testing.T) {
				t.Parallel()
				i := install(t)
				s := i.seated(80, offline(t, "login"))
				if steps == nil {
					s.awaits("Number or name")
				}
				for _, step := range steps {
					s.awaits(step[0])
					s.types(step[1])
				}
				if where == "at the secret" && how == "Esc" {
					s.types("\x1b") // single keys are read there
				} else {
					leave(s)
				}
				if code, out := s.wait(); code != api.ExitInterrupted || out != "" {
					t.Errorf("exit %d, stdout %q", code, out)
				}
				if left := i.written(); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
			})
		}
	}
}

// A provider that needs a client id is completed step by step, and every answer
// can be corrected.
func TestPickCompletesAClient(t *testing.T) {
	for _, columns := range []int{80, 40} {
		i := install(t)
		s := i.seated(columns, offline(t, "login"))
		s.awaits("Number or name")
		s.types("github\n")
		s.awaits("Client ID (Enter alone goes back):")
		for _, alone := range []string{"\nhttps://github.com/settings/developers\n", "\nhttp://127.0.0.1/callback/github\n"} {
			if shown := s.screen(); !strings.Contains(shown, alone) {
				t.Errorf("%d columns: %q does not stand alone:\n%s", columns, alone, shown)
			}
		}
		s.types("\n")
		s.awaits("Log in to what?")
		for _, step := range [][2]string{
			{"Number or name", "github\n"},
			{"Client ID (", "wröng\n"},
			{"client secret that", "y\n"},
			{"not shown", "\x1b[200~battery\x1b[201~\n"},
			{"Client ID: wröng", "\n"},
			{"must be at most 1024 printable ASCII characters", "Ov23abc\n"},
			{"client secret that logging in needs? [y/N]", "y\n"},
			{"Client secret (not shown", "\x1b[200~battery-horsf\x1b[201~"},
		} {
			s.awaits(step[0])
			s.types(step[1])
		}
		if left := i.written(); len(left) > 0 {
			t.Errorf("left by answers that were wrong: %v", left)
		}
		s.types("\x7fe\n")
		s.awaits("Client secret: given, goes into a file of its own")
		s.awaits("Is that right? It goes to")
		s.types("n\n")
		s.awaits("Client ID (")
		s.types("Ov23abd\n")
		s.awaits("client secret that")
		s.types("y\n")
		s.awaits("not shown")
		s.types("\x1b[200~battery-horse\x1b[201~\n")
		s.awaits("Client ID: Ov23abd")
		s.types("y\n")
		if code, out := s.wait(); code != api.ExitUnreachable || out != "" {
			t.Errorf("exit %d, stdout %q, shown:\n%s", code, out, s.screen())
		}
		s.awaits("Wrote ~/providers/github.toml.")
		checkErased(t, s, "Client", "Number", "developers")
		if raw := s.raw.String(); strings.Contains(raw, "battery") {
			t.Errorf("the secret is shown: %q", raw)
		}
		if text := i.providerFile("github.toml"); !strings.Contains(text, "client_id = 'Ov23abd'") || strings.Contains(text, "battery") || !strings.Contains(text, "github.secret") {
			t.Errorf("the file:\n%s", text)
		}
		if text := i.providerFile("github.secret"); text != "battery-horse\n" {
			t.Errorf("the secret's file: %q", text)
		}
		info, err := os.Stat(filepath.Join(i.providers(), "github.secret"))
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
}

// Another server is found by its address.
func TestPickAnother(t *testing.T) {
	for _, columns := range []int{80, 40} {
		inBothModes(t, func(t *testing.T, i *installation) {
			cfg := auto
			cfg.Interval = 1
			sb, err := sandbox.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			srv := httptest.NewServer(sb)
			t.Cleanup(srv.Close)
			if err := sb.SetIssuer(srv.URL); err != nil {
				t.Fatal(err)
			}
			s := i.seated(columns, offline(t, "login", "--qr=never"))
			address := strings.TrimPrefix(srv.URL, "http://")
			for _, step := range [][2]string{
				{"Number or name", "another\n"},
				{"Address (Enter alone goes back):", "127.0.0.1:1\n"},
				{"That did not work:", address + "\n"},
				{"Found it. It lets you log in with a code on any device", "Bad Name\n"},
				{"must be 1 to 63 of", "sandbox\n"},
				{"There is a provider sandbox already.", "mine\n"},
				{"Client ID (Enter alone goes back):", "test\n"},
				{"client secret that", "\n"},
				{"Scopes, with blanks between them (Enter alone: openid offline_access):", "\n"},
				{"Server: " + srv.URL, "\n"},
			} {
				s.awaits(step[0])
				s.types(step[1])
			}
			if code, out := s.wait(); code != 0 || out != "" {
				t.Errorf("exit %d, stdout %q, shown:\n%s", code, out, s.screen())
			}
			s.awaits("Logged in to mine")
			checkErased(t, s, "Address", "Client ID", "Found it")
			if got := i.providerFile("mine.toml"); !strings.Contains(got, "issuer = '"+srv.URL+"'") || !strings.Contains(got, "scopes = ['openid', 'offline_access']") {
				t.Errorf("the file:\n%s", got)
			}
			if out := i.must("token", "mine"); !strings.HasPrefix(out, "at_") {
				t.Errorf("the token: %q", out)
			}
		})
	}
}

// Nobody is asked where nobody answers.
func TestPickAsksNobody(t *testing.T) {
	for name, args := range map[string][]string{"--no-prompt": {"login", "--no-prompt"}, "--json": {"login", "--json"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, said := install(t).atTerminal(80, args...).all()
			if code != api.ExitUsage || out != "" || !strings.HasPrefix(said, "usher: login to what? Ready are: ") {
				t.Errorf("exit %d, stdout %q, said %q", code, out, said)
			}
		})
	}
	t.Run("no terminal", func(t *testing.T) {
		began := time.Now()
		r := install(t).run("login")
		if r.code != api.ExitUsage || !strings.Contains(r.err, "hint: run: usher login KEY, such as: usher login ") || time.Since(began) > pickPatience {
			t.Errorf("%+v", r)
		}
	})
}
