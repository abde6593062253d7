package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// TestServeDocumentExample runs the TypeScript of docs/serve.md as it stands
// there.
func TestServeDocumentExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/serve.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(text), "```ts\n")
	example, _, found := strings.Cut(example, "```\n")
	if !found {
		t.Fatal("docs/serve.md has no example in TypeScript")
	}
	h := newHome(t)
	issuer := h.sandbox("--approve", "auto", "--interval", "1")
	h.must("provider", "add", "corp", "--issuer", issuer, "--client-id", "ide", "--scope", "openid")
	h.serve()
	defer h.stop()

	// Read from stdin, so that the client is looked for in this folder.
	cmd := h.command(oidcprovider.Node(t), "--no-warnings", "--experimental-strip-types", "--input-type=module-typescript")
	cmd.Env = append(cmd.Env, "USHER_URL="+h.url(), "USHER_SERVER_TOKEN="+h.bearer())
	cmd.Stdin = strings.NewReader(example)
	p := h.start(cmd)
	p.rest()
	r := p.wait()
	if r.code != exitOK {
		t.Fatalf("exit %d\nstdout: %s\nstderr: %s", r.code, r.stdout, r.stderr)
	}
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if !strings.HasPrefix(lines[0], "Open "+issuer) || !strings.Contains(lines[0], " and enter ") {
		t.Errorf("it said %q", lines[0])
	}
	if diff := cmp.Diff("Logged in", lines[len(lines)-1]); diff != "" {
		t.Errorf("the last line (-want +got):\n%s", diff)
	}
	if token := h.token("corp"); !strings.HasPrefix(token, "at_") {
		t.Errorf("token %q", token)
	}
}
