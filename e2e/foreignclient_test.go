package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// sandbox starts `usher sandbox` on a free port and returns its issuer.
func (h *home) sandbox(args ...string) string {
	h.t.Helper()
	args = append([]string{"sandbox", "--listen", "127.0.0.1:0"}, args...)
	p := h.start(h.command(binary, args...))
	first := decode[struct{ Issuer string }](h.t, p.line())
	go p.rest()
	if first.Issuer == "" {
		h.t.Fatal("the sandbox named no issuer")
	}
	return first.Issuer
}

// TestSandboxServesAForeignClient lets a client that usher's authors did not
// write judge the sandbox.
func TestSandboxServesAForeignClient(t *testing.T) {
	t.Parallel()
	issuer := newHome(t).sandbox("--approve", "auto", "--interval", "1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, oidcprovider.Node(t), "openidclient/client.mjs", issuer)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openid-client: %v\n%s%s", err, out, stderr.String())
	}
	type step struct {
		Step, Issuer, Subject, Error string
		Rotated                      bool
		TokenType                    string `json:"token_type"`
	}
	var got []step
	for line := range strings.Lines(string(out)) {
		got = append(got, decode[step](t, line))
	}
	if len(got) != 7 {
		t.Fatalf("the client took %d steps, want 7:\n%s", len(got), out)
	}
	subject := got[1].Subject
	want := []step{
		{Step: "discovery", Issuer: issuer},
		{Step: "code", Subject: subject},
		{Step: "wrong verifier", Error: "invalid_grant"},
		{Step: "userinfo", Subject: subject},
		{Step: "refresh", Rotated: true},
		{Step: "revoked", Error: "invalid_grant"},
		{Step: "device", TokenType: "bearer"}, // the client lower-cases it
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("step %d: got %+v, want %+v", i+1, got[i], want[i])
		}
	}
	if subject == "" {
		t.Error("the id token names no subject")
	}
}
