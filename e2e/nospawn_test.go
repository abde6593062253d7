package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/usherauth/usher/e2e/oidcprovider"
	"github.com/usherauth/usher/e2e/proctrace"
)

// TestDaemonStartsNoProcess traces a daemon through a login, a token, a refresh
// and a logout. That the trace would show a process is proven in proctrace.
func TestDaemonStartsNoProcess(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	issuer := h.sandbox("--approve", "auto", "--interval", "1", "--token-lifetime", "4s")
	h.must("provider", "add", "here", "--issuer", issuer, "--client-id", "traced",
		"--scope", "openid", "--scope", "offline_access")
	file := filepath.Join(h.base, "trace")
	h.serve(proctrace.Prefix(file)...)

	h.must("login", "here", "--qr=never", "--json")
	first := h.token("here")
	oidcprovider.Poll(t, "a refreshed token", func() bool { return h.token("here") != first })
	h.must("logout", "here")

	h.stop()
	starts, err := proctrace.Starts(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(starts) > 0 {
		t.Errorf("the daemon started something:\n%s", strings.Join(starts, "\n"))
	}
}
