package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// manifest is all that there is in the registry.
const manifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
	`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`

// registry is an image registry that wants a token of the provider for the
// password of a Basic authentication: itself, or where it sends clients for one
// of its own tokens, as most registries do.
func registry(b *box, sends bool) http.Handler {
	const own = "Bearer the-registry's-own"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, token, basic := r.BasicAuth()
		known := basic && user == "robot" && b.works(token)
		switch {
		case r.URL.Path == "/token" && known:
			json.NewEncoder(w).Encode(map[string]string{"token": strings.TrimPrefix(own, "Bearer ")})
		case r.URL.Path == "/token":
			w.WriteHeader(http.StatusUnauthorized)
		case sends && r.Header.Get("Authorization") != own:
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+r.Host+`/token",service="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
		case !sends && !known:
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
		case strings.Contains(r.URL.Path, "/manifests/"):
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			io.WriteString(w, manifest)
		}
	})
}

// TestDockerHelper has the real skopeo ask registries that refuse wrong tokens.
// It asks usher about each of them; only those that the provider names get one.
func TestDockerHelper(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, h *home, _ bool) {
		b := h.box("--interval", "1", "--approve", "auto")
		w, ca := &watched{t: t}, newAuthority(t)
		names := []string{"127.0.0.1", "localhost"}
		simple := w.start("simple", registry(b, false), ca, names...)
		sends := w.start("sends", registry(b, true), ca, names...)
		other := w.start("other", registry(b, false), ca, names...)
		h.logInWithTools(b, `docker_hosts = ["127.0.0.1:`+port(simple)+`", "localhost:`+port(sends)+`"]`, `docker_username = "robot"`)

		places := []string{
			"127.0.0.1:" + port(simple), "localhost:" + port(sends), // ours
			"localhost:" + port(simple), "127.0.0.1:" + port(sends), "127.0.0.1:" + port(other),
		}
		auth := h.dockerConfig(places)
		inspect := func(place string) result {
			t.Helper()
			return h.tool(t.TempDir(), "skopeo", []string{"SSL_CERT_FILE=" + ca.file, "XDG_RUNTIME_DIR=" + t.TempDir()},
				"inspect", "--raw", "--authfile", auth, "docker://"+place+"/team/image:tag")
		}
		for i, place := range places {
			r := inspect(place)
			seen := w.requests()
			if len(seen) == 0 {
				t.Errorf("%s was not asked for anything", place)
			}
			given := tokenGivenTo(t, seen)
			ours := i < 2
			if ours && (r.code != 0 || r.stdout != manifest+"\n" || len(given) != 1) || !ours && (r.code == 0 || len(given) != 0) {
				t.Errorf("%s: exit %d; the token went to %v\n%s%s", place, r.code, given, r.stdout, r.stderr)
			}
		}
		h.must("logout", "here")
		if r := inspect(places[0]); r.code == 0 || !strings.Contains(r.stderr, "hint: run: usher login here\n") {
			t.Errorf("after a logout: exit %d\n%s%s", r.code, r.stdout, r.stderr)
		}
	})
}

// dockerConfig has docker and its like ask usher about the places.
func (h *home) dockerConfig(places []string) (path string) {
	h.t.Helper()
	helpers := map[string]string{}
	for _, place := range places {
		helpers[place] = "usher"
	}
	text, err := json.Marshal(map[string]any{"credHelpers": helpers})
	if err == nil {
		path = filepath.Join(h.base, "auth.json")
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return path
}
