package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A request is one that a tool made: to which host, by which way, and with what
// it wanted to prove itself.
type request struct {
	Server        string // the name that the test gave to the server
	Host          string // the one that the tool thinks it talks to
	Path          string
	Authorization string
}

// Watched servers are those that somebody else's tool talks to. What it shows
// there to prove itself is written down before it is judged.
type watched struct {
	t *testing.T

	mu   sync.Mutex
	seen []request
}

// start starts a server called name; with names it speaks TLS, with a
// certificate for these from ca.
func (w *watched) start(name string, handler http.Handler, ca *authority, names ...string) *httptest.Server {
	w.t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.seen = append(w.seen, request{name, r.Host, r.URL.Path, r.Header.Get("Authorization")})
		w.mu.Unlock()
		handler.ServeHTTP(rw, r)
	}))
	if ca == nil {
		s.Start()
	} else {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{ca.certify(w.t, names...)}}
		s.StartTLS()
	}
	w.t.Cleanup(s.Close)
	return s
}

// requests are those seen since the last call.
func (w *watched) requests() []request {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

// port is the one of the server's address.
func port(s *httptest.Server) string {
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	return port
}

// An authority signs certificates that only who trusts its file accepts.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{
		cert: &x509.Certificate{
			SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		},
		file: filepath.Join(t.TempDir(), "ca.crt"),
	}
	a.cert.Subject.CommonName = "a private authority"
	a.key = newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, &a.key.PublicKey, a.key)
	if err == nil {
		err = os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) certify(t *testing.T, names ...string) tls.Certificate {
	t.Helper()
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, name)
		}
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// tool runs somebody else's program, which finds usher as its user would: on
// the PATH, also under the names of its helpers.
func (h *home) tool(dir, name string, env []string, args ...string) result {
	h.t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		h.t.Fatalf("%s is missing; tools/setup.sh installs it: %v", name, err)
	}
	cmd := h.command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Env, env...)
	cmd.Env = append(cmd.Env, "PATH="+h.bin()+string(os.PathListSeparator)+os.Getenv("PATH"), "LC_ALL=C.UTF-8")
	p := h.start(cmd)
	p.rest()
	return p.wait()
}

// bin is a folder with usher and its names.
func (h *home) bin() string {
	h.t.Helper()
	dir := filepath.Join(h.base, "bin")
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		h.t.Fatal(err)
	}
	for _, name := range []string{"usher", "docker-credential-usher", "git-credential-usher"} {
		if err := os.Symlink(binary, filepath.Join(dir, name)); err != nil {
			h.t.Fatal(err)
		}
	}
	return dir
}

// logInWithTools logs in to "here" at b, whose settings name hosts for tools. The
// provider tells no end of its tokens: nothing renews them in passing.
func (h *home) logInWithTools(b *box, settings ...string) {
	h.t.Helper()
	b.faults(`[{"endpoint": "token", "do": {"remove": ["expires_in"]}}]`)
	h.must("provider", "add", "here", "--issuer", b.issuer, "--client-id", "tools",
		"--scope", "openid", "--scope", "offline_access")
	h.configure("here", settings...)
	h.must("login", "here", "--qr=never")
}

// configure adds lines to the file of a provider.
func (h *home) configure(provider string, settings ...string) {
	h.t.Helper()
	f, err := os.OpenFile(filepath.Join(h.base, "providers", provider+".toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(strings.Join(settings, "\n") + "\n")
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// works reports whether the provider takes the token.
func (b *box) works(token string) bool {
	r, err := http.NewRequest("GET", b.issuer+"/resource", nil)
	if err != nil {
		b.t.Error(err)
		return false
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Error(err)
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
