package e2e

import (
	"fmt"
	"testing"
	"time"
)

// Without a terminal nothing asks and nothing waits for ever, whether standard
// input is empty or not even open.
func TestNothingPromptsWithoutATerminal(t *testing.T) {
	t.Parallel()
	for _, stdin := range []string{"</dev/null", "<&-"} {
		t.Run(stdin, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			b := h.box("--interval", "1")
			h.must("provider", "add", "here", "--issuer", b.issuer, "--client-id", "agent")
			for _, c := range []struct {
				command string
				code    int
			}{
				{"login", 2},
				{"login nobody", 2},
				{"token here", 3},
				{"exec here -- true", 125},
				{"env here", 3},
				{"status here", 3},
				{"logout here", 0},
				{"login list", 0},
				{"login wait here", 1},
				{"login cancel here", 1},
				{"login complete here", 1},
				{"helper kubectl here", 3},
				{"token here --format header", 3},
				{"setup git here", 2},
				{"import qwen", 1},
				{"watch --timeout 1s", 1},
				{"provider add", 2},
				{"login here --flow code --timeout 100ms", 8},
				{"login complete here", 2},
				{"login cancel here", 0},
				{"login here --no-wait", 0},
				{"login wait here --timeout 100ms", 8},
				{"login here --timeout 100ms", 8},
				{"login complete here", 1},
				{"login cancel here", 0},
			} {
				began := time.Now()
				p := h.start(h.command("sh", "-c", fmt.Sprintf("exec '%s' %s %s", binary, c.command, stdin)))
				p.rest()
				if r := p.wait(); r.code != c.code {
					t.Errorf("usher %s: exit %d, want %d, after %s\nstdout: %s\nstderr: %s", c.command, r.code, c.code, time.Since(began), r.stdout, r.stderr)
				}
			}
			h.wantNothingLeft()
		})
	}
}
