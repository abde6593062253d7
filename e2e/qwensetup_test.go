package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// qwenProgram is the published qwen-code as people start it.
const qwenProgram = "qwencode/node_modules/@qwen-code/qwen-code/cli-entry.js"

// TestQwenTakesTheTokenFromUsher sets up the published qwen-code, which has its
// own way to log in selected and refuses it, and starts it by usher exec: it
// sends the token of usher where the provider says that its API is. What it
// writes into its settings meanwhile stays when the setup is undone.
func TestQwenTakesTheTokenFromUsher(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	api := &modelAPI{}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	b := h.box("--approve", "auto", "--interval", "1")
	h.must("provider", "add", "models", "--issuer", b.issuer, "--client-id", "demo")
	h.appendTo(filepath.Join(h.base, "providers", "models.toml"),
		"base_url = '"+server.URL+"/v1'\ntoken_env = ['OPENAI_API_KEY']\nbase_url_env = ['OPENAI_BASE_URL']\n")
	h.must("login", "models", "--qr=never")
	settings := filepath.Join(h.base, ".qwen", "settings.json")
	if err := os.Mkdir(filepath.Dir(settings), 0o700); err != nil {
		t.Fatal(err)
	}
	h.appendTo(settings, `{"security": {"auth": {"selectedType": "qwen-oauth"}}, "ui": {"theme": "GitHub"},
"privacy": {"usageStatisticsEnabled": false}, "general": {"enableAutoUpdate": false}}`)

	if r := h.qwenSays(); r.code == exitOK || !strings.Contains(r.stdout+r.stderr, "discontinued") {
		t.Errorf("its own way: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	h.must("setup", "qwen", "models")
	if r := h.qwenSays(); r.code != exitOK || !strings.Contains(r.stdout, "pong") {
		t.Errorf("by usher exec: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if got := api.authorizations(); len(got) != 1 || !got["Bearer "+h.token("models")] {
		t.Errorf("qwen-code sent %d different tokens, want the one of usher", len(got))
	}
	h.must("setup", "qwen", "--undo")
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	left := decode[struct {
		Security struct{ Auth struct{ SelectedType string } }
		UI       struct{ Theme string }
		Version  int `json:"$version"`
	}](t, string(text))
	if left.Security.Auth.SelectedType != "qwen-oauth" || left.UI.Theme != "GitHub" || left.Version == 0 {
		t.Errorf("the settings after all: %s", text)
	}
}

// qwenSays runs qwen-code by usher exec with one question.
func (h *home) qwenSays() result {
	h.t.Helper()
	cmd := h.command(binary, "exec", "models", "--", oidcprovider.Node(h.t), qwenProgram, "-p", "ping", "-m", "model")
	p := h.start(cmd)
	p.rest()
	return p.wait()
}

func (h *home) appendTo(path, text string) {
	h.t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		h.t.Fatal(err)
	}
}

// modelAPI speaks as OpenAI's API does and notes which tokens it gets.
type modelAPI struct {
	mu  sync.Mutex
	got map[string]bool
}

func (m *modelAPI) authorizations() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.got
}

func (m *modelAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	if m.got == nil {
		m.got = map[string]bool{}
	}
	m.got[r.Header.Get("Authorization")] = true
	m.mu.Unlock()
	var asked struct{ Stream bool }
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &asked)
	const head = `{"id":"1","created":1,"model":"model","object":`
	const usage = `"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`
	if !asked.Stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, head+`"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"pong"},"finish_reason":"stop"}],`+usage)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	var b bytes.Buffer
	b.WriteString("data: " + head + `"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"pong"},"finish_reason":null}]}` + "\n\n")
	b.WriteString("data: " + head + `"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],` + usage + "\n\n")
	b.WriteString("data: [DONE]\n\n")
	_, _ = w.Write(b.Bytes())
}
