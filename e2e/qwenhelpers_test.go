package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// The life of the access tokens of shareWithQwen, and when a refresh is due: the
// tool makes one when less than 30 s are left, and so does usher if it is asked
// to (qwenTTL). Whoever comes later than the other has 30 s to find that nothing
// is to be done.
const (
	qwenLife = time.Minute
	qwenTTL  = "30s"
	qwenDue  = 31 * time.Second
)

// shareWithQwen logs in to a sandbox in place of Qwen, strict and with short
// tokens, which are shared with qwen-code because the provider says so.
func (h *home) shareWithQwen() *box {
	h.t.Helper()
	b := h.box("--dialect", "qwen", "--approve", "auto", "--interval", "1", "--token-lifetime", qwenLife.String())
	// The dialect names no interval of its own.
	b.faults(`[{"endpoint": "device", "do": {"set": {"interval": 2}}}]`)
	h.must("provider", "add", "qwen-oauth",
		"--device-endpoint", b.issuer+"/api/v1/oauth2/device/code", "--token-endpoint", b.issuer+"/api/v1/oauth2/token")
	h.must("login", "qwen-oauth", "--qr=never")
	return b
}

// sharedFile is the tool's file.
func (h *home) sharedFile() string { return filepath.Join(h.base, ".qwen", "oauth_creds.json") }

// adopts waits for usher to hand out the token that the tool got. Until it has
// looked, the one before may be handed out, which has not ended.
func (h *home) adopts(token string) {
	h.t.Helper()
	oidcprovider.Poll(h.t, "the token of qwen-code", func() bool { return h.token("qwen-oauth") == token })
}

// due waits for usher to refresh the token it got just now, as soon as it may,
// and returns the new one.
func (h *home) due(was string) string {
	h.t.Helper()
	time.Sleep(qwenDue)
	var token string
	oidcprovider.Poll(h.t, "a refreshed token", func() bool {
		token = strings.TrimSpace(h.must("token", "qwen-oauth", "--min-ttl", qwenTTL))
		return token != was
	})
	return token
}

// qwenRefreshes are what the sandbox saw of them.
type qwenRefreshes struct {
	Requests int `json:"refresh_requests"`
	Granted  int `json:"refreshes_granted"`
	Reuse    int `json:"reuse_seen"`
	Overlap  int `json:"overlap"`
}

func (b *box) qwenRefreshes() qwenRefreshes {
	b.t.Helper()
	r, err := http.Get(b.issuer + "/_sandbox/record")
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close()
	var record qwenRefreshes
	if err := json.NewDecoder(r.Body).Decode(&record); err != nil {
		b.t.Fatal(err)
	}
	return record
}

// wantQwenRefreshes checks that n refreshes were asked for and granted, one at a
// time and none with a token that was spent.
func (b *box) wantQwenRefreshes(n int) {
	b.t.Helper()
	if got, want := b.qwenRefreshes(), (qwenRefreshes{n, n, 0, min(n, 1)}); got != want {
		b.t.Errorf("the sandbox saw %+v, want %+v", got, want)
	}
}

// accepts checks that the sandbox's resource takes the token.
func (b *box) accepts(token string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), "GET", b.issuer+"/resource", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		b.t.Errorf("the resource answers %s", answer.Status)
	}
}

// A qwen is a process that runs the published qwen-code's own reader and
// refresher; see qwencode/driver.mjs for the calls.
type qwen struct {
	t        *testing.T
	process  *process
	stdin    io.Writer
	n        int
	answers  chan qwenAnswer
	attempts chan int
}

type qwenAnswer struct {
	ID      int
	Value   json.RawMessage
	Error   string
	Attempt int
}

// qwenCredentials are what the tool takes from its file.
type qwenCredentials struct {
	AccessToken  string  `json:"access_token"`
	RefreshToken string  `json:"refresh_token"`
	TokenType    string  `json:"token_type"`
	ResourceURL  string  `json:"resource_url"`
	ExpiryDate   float64 `json:"expiry_date"`
}

func (h *home) qwen(b *box) *qwen {
	h.t.Helper()
	if _, err := os.Stat("qwencode/node_modules/@qwen-code/qwen-code"); err != nil {
		h.t.Fatal("qwen-code is not installed in e2e/qwencode: run `make setup`")
	}
	cmd := h.command(oidcprovider.Node(h.t), "qwencode/driver.mjs")
	cmd.Env = append(cmd.Env, "QWEN_ISSUER="+b.issuer)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	q := &qwen{t: h.t, process: h.start(cmd), stdin: stdin, answers: make(chan qwenAnswer, 100), attempts: make(chan int, 1000)}
	q.process.line() // ready
	go func() {
		defer close(q.process.eof)
		for q.process.lines.Scan() {
			var a qwenAnswer
			if err := json.Unmarshal(q.process.lines.Bytes(), &a); err != nil {
				panic(fmt.Sprintf("qwencode/driver.mjs said %q: %v", q.process.lines.Text(), err))
			}
			if a.Attempt > 0 {
				q.attempts <- a.Attempt
			} else {
				q.answers <- a
			}
		}
	}()
	return q
}

// begin makes a call; its answer comes before that of the next.
func (q *qwen) begin(call string) {
	q.t.Helper()
	q.n++
	if _, err := fmt.Fprintf(q.stdin, "{\"id\":%d,\"do\":%q}\n", q.n, call); err != nil {
		q.t.Fatal(err)
	}
}

// tries waits for the nth try of the process to take the lock.
func (q *qwen) tries(n int) {
	q.t.Helper()
	late := time.After(30 * time.Second)
	for tried := 0; tried < n; {
		select {
		case tried = <-q.attempts:
		case <-late:
			q.t.Fatalf("qwen-code tried %d times in 30 s to take the lock, want %d", tried, n)
		}
	}
}

// answer waits for the answer to the call that was begun.
func (q *qwen) answer() qwenAnswer {
	q.t.Helper()
	select {
	case a := <-q.answers:
		if a.ID != q.n {
			q.t.Fatalf("the answer to call %d came, want that to %d", a.ID, q.n)
		}
		return a
	case <-time.After(2 * time.Minute):
		q.t.Fatal("qwen-code did not answer in two minutes")
	}
	return qwenAnswer{}
}

// credentials waits for an answer that has credentials; nil for none.
func (q *qwen) credentials() *qwenCredentials {
	q.t.Helper()
	a := q.answer()
	if a.Error != "" {
		q.t.Fatalf("qwen-code failed: %s", a.Error)
	}
	var c *qwenCredentials
	if err := json.Unmarshal(a.Value, &c); err != nil {
		q.t.Fatal(err)
	}
	return c
}

// get makes a call and returns the access token of its answer.
func (q *qwen) get(call string) string {
	q.t.Helper()
	q.begin(call)
	c := q.credentials()
	if c == nil {
		q.t.Fatalf("qwen-code has no credentials after %s", call)
	}
	return c.AccessToken
}

// refused makes a call that has to fail.
func (q *qwen) refused(call string) {
	q.t.Helper()
	q.begin(call)
	if a := q.answer(); a.Error == "" {
		q.t.Errorf("%s of qwen-code succeeded", call)
	}
}

// wantAccepts checks that the tool, started now, takes the access token from its
// file, and that the file is as the tool itself makes it.
func (q *qwen) wantAccepts(h *home, token string) {
	q.t.Helper()
	q.begin("judge")
	c := q.credentials()
	if c == nil {
		q.t.Fatal("qwen-code rejects its file")
	}
	if c.AccessToken != token || c.RefreshToken == "" || c.TokenType != "Bearer" {
		q.t.Errorf("qwen-code has another token, or not all of one (type %q)", c.TokenType)
	}
	if c.ResourceURL == "" {
		q.t.Error("qwen-code has no resource_url")
	}
	end := time.UnixMilli(int64(c.ExpiryDate))
	if left := time.Until(end); left <= 0 || left > qwenLife {
		q.t.Errorf("for qwen-code the token ends in %v", left)
	}
	for path, want := range map[string]os.FileMode{h.sharedFile(): 0o600, filepath.Dir(h.sharedFile()): 0o700} {
		if info, err := os.Lstat(path); err != nil {
			q.t.Error(err)
		} else if got := info.Mode().Perm(); got != want {
			q.t.Errorf("%s has mode %04o, want %04o", path, got, want)
		}
	}
}
