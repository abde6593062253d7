package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var unixConnect = regexp.MustCompile(`connect\(\d+, \{sa_family=AF_UNIX, sun_path="([^"]*)"\}`)

// TestStatusUsesNoSocketButTheDaemons traces usher status with a credential
// that has ended, which a curious program would look up or refresh.
func TestStatusUsesNoSocketButTheDaemons(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, h *home, daemon bool) {
		issuer := h.sandbox("--approve", "auto", "--interval", "1", "--token-lifetime", "1s")
		h.must("provider", "add", "here", "--issuer", issuer, "--client-id", "traced")
		h.must("login", "here", "--qr=never")
		for _, args := range [][]string{{"status"}, {"status", "here", "--json"}, {}} {
			file := filepath.Join(h.base, "sockets")
			p := h.start(h.command("strace", append([]string{"-f", "-qq", "-o", file, "-e", "trace=socket,connect,execve", binary}, args...)...))
			p.rest()
			if r := p.wait(); r.code != exitOK || !strings.Contains(r.stdout, "here") {
				t.Fatalf("usher %q: exit %d\n%s%s", args, r.code, r.stdout, r.stderr)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			trace := string(text)
			if !strings.Contains(trace, "execve(") {
				t.Fatalf("nothing was traced: %q", trace)
			}
			if got := strings.Count(trace, "socket(") - strings.Count(trace, "socket(AF_UNIX, "); got != 0 {
				t.Errorf("usher %q opens %d sockets of another family:\n%s", args, got, trace)
			}
			own := filepath.Join(h.dir, "daemon.sock")
			connects := unixConnect.FindAllStringSubmatch(trace, -1)
			for _, c := range connects {
				if c[1] != own {
					t.Errorf("usher %q connects to %s", args, c[1])
				}
			}
			if daemon != (len(connects) > 0) || strings.Count(trace, "connect(") != len(connects) {
				t.Errorf("usher %q, with a daemon %v, connects as\n%s", args, daemon, trace)
			}
		}
	})
}
