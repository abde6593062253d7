package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestKubectlHelper has the real kubectl ask an API server that refuses wrong
// tokens, in each version of the ExecCredential that it knows.
func TestKubectlHelper(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, h *home, _ bool) {
		b := h.box("--interval", "1", "--approve", "auto")
		h.logInWithTools(b)
		w, ca := &watched{t: t}, newAuthority(t)
		server := w.start("api", apiServer(b), ca, "127.0.0.1")
		who := func(version, key string) result {
			t.Helper()
			config := kubeconfig(t, server.URL, ca.file, version, key)
			return h.tool(t.TempDir(), "kubectl", []string{"KUBECONFIG=" + config}, "get", "--raw", "/who")
		}
		versions := []string{"v1beta1"}
		if h.kubectlMinor() >= 22 {
			versions = append(versions, "v1")
		}
		for _, version := range versions {
			if r := who(version, "here"); r.code != 0 || r.stdout != "you are known\n" {
				t.Errorf("%s: exit %d, %q\n%s", version, r.code, r.stdout, r.stderr)
			}
			if seen := w.requests(); len(seen) == 0 || !strings.HasPrefix(seen[len(seen)-1].Authorization, "Bearer at_") {
				t.Errorf("%s: the server saw %+v", version, seen)
			}
			r := who(version, "here/work")
			if r.code == 0 || !strings.Contains(r.stderr, "hint: run: usher login here/work\n") {
				t.Errorf("%s, without a login: exit %d\n%s%s", version, r.code, r.stdout, r.stderr)
			}
			for _, r := range w.requests() {
				if r.Authorization != "" {
					t.Errorf("%s, without a login: the server saw %+v", version, r)
				}
			}
		}
	})
}

// apiServer knows who has a token of the provider.
func apiServer(b *box) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || !b.works(token) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401}`)
			return
		}
		io.WriteString(w, "you are known\n")
	})
}

// kubeconfig has kubectl ask usher for the token of key.
func kubeconfig(t *testing.T, url, ca, version, key string) (path string) {
	t.Helper()
	text := `
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "` + url + `", certificate-authority: "` + ca + `"}}]
users:
- name: me
  user:
    exec:
      apiVersion: client.authentication.k8s.io/` + version + `
      command: usher
      args: [helper, kubectl, ` + key + `]
      interactiveMode: IfAvailable
`
	path = filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kubectlMinor is y in kubectl 1.y; from 22 on it knows version 1 of the
// ExecCredential.
func (h *home) kubectlMinor() int {
	h.t.Helper()
	r := h.tool(h.base, "kubectl", nil, "version", "--client", "-o", "json")
	var version struct {
		ClientVersion struct {
			GitVersion string `json:"gitVersion"`
		} `json:"clientVersion"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &version); err != nil {
		h.t.Fatalf("the version of kubectl: %v\n%s%s", err, r.stdout, r.stderr)
	}
	_, rest, _ := strings.Cut(version.ClientVersion.GitVersion, ".")
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(minor)
	if err != nil {
		h.t.Fatalf("the version of kubectl is %q", version.ClientVersion.GitVersion)
	}
	return n
}
