package e2e

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/e2e/oidcprovider"
	"github.com/usherauth/usher/secret"
)

// The program with failpoints, built when it is first asked for.
var (
	buildFailpointed = sync.OnceValues(func() (string, error) { return buildTagged("usher-failpoint", "CGO_ENABLED=0", "-trimpath") })
	buildRaced       = sync.OnceValues(func() (string, error) { return buildTagged("usher-race", "CGO_ENABLED=1", "-race") })
)

func buildTagged(name, env string, flags ...string) (string, error) {
	program := filepath.Join(filepath.Dir(binary), name)
	build := exec.Command("go", append([]string{"build", "-tags", "failpoint", "-o", program}, append(flags, "./cmd/usher")...)...)
	build.Dir = ".."
	build.Env = append(os.Environ(), env)
	if out, err := build.CombinedOutput(); err != nil {
		return "", complaint{err, string(out)}
	}
	return program, nil
}

type complaint struct {
	error
	out string
}

func (c complaint) Error() string { return c.error.Error() + "\n" + c.out }

func failpointed(t *testing.T) string { return must(t)(buildFailpointed()) }
func raced(t *testing.T) string       { return must(t)(buildRaced()) }

func must(t *testing.T) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// A restart is one round: a daemon that is killed and started again on the same
// home, a login, and two programs that live through it.
type restart struct {
	t       *testing.T
	kill    kill
	random  *rand.Rand
	home    *home
	box     *box
	daemons []*process // all that there were
	client  *usher.Client

	session usher.Session
	follow  *observer

	login      *usher.Login
	done       chan struct{} // closed when the wait has ended with:
	credential usher.Credential
	failed     error

	approved, ended bool
}

func newRestart(t *testing.T, program string, k kill, random *rand.Rand) *restart {
	h := newHome(t)
	r := &restart{t: t, kill: k, random: random, home: h, box: h.box(append([]string{"--interval", "1"}, k.box...)...)}
	if k.faults != "" {
		r.box.faults(k.faults)
	}
	h.must("provider", "add", "here", "--issuer", r.box.issuer, "--client-id", "kill")
	h.built = program
	return r
}

// first starts the daemon that is to be killed, and a session.
func (r *restart) first() {
	r.t.Helper()
	r.serve(r.kill.at)
	r.client = &usher.Client{BaseURL: r.home.url(), Bearer: secret.New(r.home.bearer()), ClientID: "kill"}
	var err error
	if r.session, err = r.client.CreateSession(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.follow = follow(r.t, r.client, r.session.SessionID)
	oidcprovider.Poll(r.t, "the session's stream", func() bool { return r.follow.count(api.SessionReplayComplete) == 1 })
}

// again starts the daemon anew. The stream of the session goes on.
func (r *restart) again() {
	r.t.Helper()
	before := r.follow.count(api.SessionResyncRequired)
	r.serve("")
	oidcprovider.Poll(r.t, "the session's stream of the new daemon", func() bool { return r.follow.count(api.SessionResyncRequired) > before })
}

// serve starts a daemon that dies at a failpoint, empty for none, and that ends
// with an error when it detects a race.
func (r *restart) serve(failpoint string) {
	r.t.Helper()
	r.home.serve("env", "GORACE=halt_on_error=1", "USHER_FAILPOINT="+failpoint)
	r.daemons = append(r.daemons, r.home.daemon)
}

// start starts the login and waits for it from then on.
func (r *restart) start() {
	r.t.Helper()
	var err error
	if r.login, err = r.client.Login(r.t.Context(), "here", usher.LoginOptions{}); err != nil {
		r.t.Fatal(err)
	}
	if r.login.UserCode == "" {
		r.t.Errorf("the start told no code: %+v", r.login)
	}
	r.done = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	r.t.Cleanup(func() { cancel(); <-r.done })
	go func() {
		defer close(r.done)
		r.credential, r.failed = r.login.Wait(ctx)
	}()
	r.known()
}

func (r *restart) approve() {
	r.t.Helper()
	r.box.approve(r.login.UserCode)
	r.approved = true
}

// pause lets some time go by, so that rounds differ.
func (r *restart) pause(most time.Duration) { time.Sleep(time.Duration(r.random.Int64N(int64(most)))) }

// known checks that the daemon knows the login, on both surfaces.
func (r *restart) known() {
	r.t.Helper()
	l, err := r.client.GetLogin(r.t.Context(), r.login.ID)
	if err != nil || l.ID != r.login.ID || l.Key != "here" {
		r.t.Fatalf("the login is %+v, %v", l, err)
	}
	want := []string{api.LoginPending, api.LoginAuthorized}
	if r.kill.lost {
		want[1] = api.LoginFailed
	}
	if l.Status != want[1] && (r.ended || l.Status != want[0]) {
		r.t.Errorf("the login is %s (%+v), ended: %t", l.Status, l.Error, r.ended)
	}
	flow := r.get("/workspace/auth/device-flow/" + url.PathEscape(r.login.ID))
	if flow["deviceFlowId"] != r.login.ID || r.ended && flow["status"] == "pending" {
		r.t.Errorf("the flow is %v, ended: %t", flow, r.ended)
	}
}

// get gets an object of the compatible surface.
func (r *restart) get(path string) map[string]any {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "GET", r.home.url()+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.home.bearer())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("GET %s: %s %s, %v", path, resp.Status, text, err)
	}
	return decode[map[string]any](r.t, string(text))
}

// told checks what the session's stream has told: what its reducer makes of it.
func (r *restart) told() {
	r.t.Helper()
	want := api.FlowAuthorized
	if r.kill.lost {
		want = api.FlowError
	}
	var flow usher.Flow
	oidcprovider.Poll(r.t, "the end in the session's stream", func() bool {
		flow = r.follow.state().Flows["here"]
		return flow.Status == want
	})
	if flow.DeviceFlowID != r.login.ID {
		r.t.Errorf("the state is of %+v", flow)
	}
}

// A requested is a request of the sandbox's record.
type requested struct {
	Endpoint, Outcome string
	Time              time.Time
	Raw               struct{ Body string }
}

// seen is what the provider saw of polls, and the kinds of the secrets that it
// issued.
func (r *restart) seen() (polls []requested, issued []string) {
	r.t.Helper()
	resp, err := http.Get(r.box.issuer + "/_sandbox/record?secrets=1")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	var record struct {
		Requests []requested
		Secrets  []struct{ Kind string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&record); err != nil {
		r.t.Fatal(err)
	}
	for _, p := range record.Requests {
		if p.Endpoint == "token.device" {
			polls = append(polls, p)
		}
	}
	for _, s := range record.Secrets {
		issued = append(issued, s.Kind)
	}
	return polls, issued
}

// asked checks what the provider saw, of all daemons together.
func (r *restart) asked() {
	r.t.Helper()
	want := boxRecord{DeviceAuthorizations: 1}
	if r.kill.lost {
		want.CodesReused = 1 // that the code is spent is how the loss is noticed
	}
	wantSame(r.t, "what the provider saw", r.box.record(), want)
	polls, _ := r.seen()
	var answers, codes []string
	var last time.Time
	for i, p := range polls {
		if gap := p.Time.Sub(last); gap < time.Second {
			r.t.Errorf("poll %d came %v after the one before", i+1, gap)
		}
		last = p.Time
		form, err := url.ParseQuery(p.Raw.Body)
		if err != nil {
			r.t.Fatal(err)
		}
		codes = append(codes, form.Get("device_code"))
		if codes[i] != codes[0] || codes[i] == "" {
			r.t.Errorf("poll %d has another device code", i+1)
		}
		switch p.Outcome {
		case "authorization_pending", "not_processed":
		default:
			answers = append(answers, p.Outcome)
		}
	}
	if diff := cmp.Diff(r.kill.answers, answers); diff != "" {
		r.t.Errorf("answers to polls (-want +got):\n%s", diff)
	}
}

// recorded checks that the audit log has the start and the end of the login at
// least once, counting all daemons.
func (r *restart) recorded() {
	r.t.Helper()
	var all strings.Builder
	for _, d := range r.daemons {
		all.WriteString(d.stderr.String())
	}
	end := "status=authorized"
	if r.kill.lost {
		end = "status=failed errorKind=lost_success"
	}
	for _, want := range []string{"status=started", end} {
		if !strings.Contains(all.String(), want) {
			r.t.Errorf("the audit log has no %s:\n%s", want, all.String())
		}
	}
}

// left checks what is there when the last daemon has stopped: whole files, free
// locks, and the credential.
func (r *restart) left() {
	r.t.Helper()
	err := filepath.WalkDir(r.home.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if strings.HasSuffix(path, ".tmp") {
			r.t.Errorf("%s was left behind", path)
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			r.t.Errorf("%s is locked: %v", path, err)
		}
		if text, err := io.ReadAll(f); filepath.Ext(path) == ".json" && (err != nil || !json.Valid(text)) {
			r.t.Errorf("%s holds %q, %v", path, text, err)
		}
		return nil
	})
	if err != nil {
		r.t.Error(err)
	}
	if r.kill.lost {
		if got := r.home.usher("status", "here"); got.code != exitLoginNeeded {
			r.t.Errorf("status: exit %d, %s", got.code, got.stderr)
		}
	} else if got := r.home.status("here", exitOK); got.State != "active" {
		r.t.Errorf("the credential is %+v", got)
	}
}

// An observer follows a session over the daemon's restarts.
type observer struct {
	t  *testing.T
	mu sync.Mutex

	seen    map[string]int // by type
	last    int64          // the number of the newest event
	reduced usher.AuthState
}

func follow(t *testing.T, c *usher.Client, id string) *observer {
	f := &observer{t: t, seen: make(map[string]int)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		for e, err := range c.SessionEvents(ctx, id, 0) {
			f.take(e, err)
		}
	}()
	return f
}

func (f *observer) take(e usher.SessionEvent, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.t.Errorf("the session's stream ended: %v", err)
		return
	}
	f.seen[e.Type]++
	f.reduced = f.reduced.Reduce(e)
	if d, ok := e.Data.(api.StreamResyncData); ok && (d.Reason != "epoch_reset" || d.Detail != "epoch_mismatch" || d.EarliestAvailableID <= f.last) {
		f.t.Errorf("after event %d, the new stream begins with %+v", f.last, d)
	}
	if e.ID != 0 && e.ID <= f.last {
		f.t.Errorf("event %d came after event %d", e.ID, f.last)
	}
	f.last = max(f.last, e.ID)
}

func (f *observer) count(typ string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[typ]
}

func (f *observer) state() usher.AuthState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reduced
}
