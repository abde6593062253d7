package e2e

import (
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// qwenEndpoint says in a fault plan that it is about refreshes.
const qwenEndpoint = `"endpoint": "token.refresh"`

// TestQwenShares goes through the life of a credential that is shared with
// qwen-code. After every step the tool's own reader judges the file, and no
// refresh is made twice, whoever makes it.
func TestQwenShares(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, h *home, daemon bool) {
		b := h.shareWithQwen()
		q := h.qwen(b)
		first := h.token("qwen-oauth")
		q.wantAccepts(h, first)
		if got := q.get("valid"); got != first {
			t.Error("qwen-code has another token after the login")
		}
		b.wantQwenRefreshes(0)

		second := q.get("renew")
		if second == first {
			t.Fatal("qwen-code did not refresh")
		}
		h.adopts(second)
		q.wantAccepts(h, second)
		b.wantQwenRefreshes(1)

		h.restart(daemon, func() {})
		q.wantAccepts(h, second)
		third := h.due(second)
		if got := q.get("valid"); got != third {
			t.Error("qwen-code did not adopt what usher got")
		}
		b.accepts(third)
		q.wantAccepts(h, third)
		b.wantQwenRefreshes(2)

		h.restoresForQwen(b, q, daemon)
		fourth := q.get("renew")
		h.adopts(fourth)
		b.accepts(fourth)
		if got := b.qwenRefreshes(); got.Reuse != 0 || got.Overlap > 1 {
			t.Errorf("the sandbox saw %+v", got)
		}

		h.must("logout", "qwen-oauth")
		if _, err := os.Lstat(h.sharedFile()); !os.IsNotExist(err) {
			t.Errorf("the file after the logout: %v, want none", err)
		}
		q.begin("judge")
		if q.credentials() != nil {
			t.Error("qwen-code has credentials after the logout")
		}
	})
}

// restoresForQwen has the server refuse the tool once, which makes it delete the
// file, and waits for usher to restore it.
func (h *home) restoresForQwen(b *box, q *qwen, daemon bool) {
	h.t.Helper()
	var events *follower
	if daemon {
		events = h.wire().follow(h.t.Context(), nil, "/v1/events")
	}
	b.faults(`[{` + qwenEndpoint + `, "do": {"oauth_error": "invalid_grant"}}]`)
	q.refused("renew")
	b.faults(`[]`)
	oidcprovider.Poll(h.t, "the file restored", func() bool {
		if !daemon {
			h.token("qwen-oauth")
		}
		_, err := os.Stat(h.sharedFile())
		return err == nil
	})
	if daemon {
		events.wait("credential.share_restored")
	}
	q.wantAccepts(h, h.token("qwen-oauth"))
}

// TestQwenEndsWhileUsherRefreshes sends SIGTERM to a process of the tool that
// waits for the lock usher holds: its handler removes the lock of whoever has
// it, and the process goes on to wait.
func TestQwenEndsWhileUsherRefreshes(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	b := h.shareWithQwen()
	first := h.token("qwen-oauth")
	waiting := h.qwen(b)
	if got := waiting.get("valid"); got != first {
		t.Fatal("qwen-code has another token after the login")
	}
	time.Sleep(qwenDue) // until both refresh
	b.faults(`[{` + qwenEndpoint + `, "do": {"answer_delay_ms": 6000}}]`)
	p := h.start(h.command(binary, "token", "qwen-oauth", "--min-ttl", qwenTTL))
	go p.rest()
	oidcprovider.Poll(t, "the request of usher", func() bool { return b.qwenRefreshes().Requests == 1 })

	waiting.begin("valid")
	// From the fourth try on, the next one is a third of a second away.
	waiting.tries(4)
	if err := syscall.Kill(waiting.process.cmd.Process.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r := p.wait()
	second := strings.TrimSpace(r.stdout)
	if r.code != exitOK || second == first {
		t.Fatalf("usher token: exit %d\n%s", r.code, r.stderr)
	}
	if c := waiting.credentials(); c == nil || c.AccessToken != second {
		t.Error("qwen-code does not have the token of usher")
	}
	b.wantQwenRefreshes(1)
	h.qwen(b).wantAccepts(h, second)
	b.accepts(second)
}

// TestQwenWipesWhileUsherRefreshes deletes the file as the tool does, while
// usher's refresh is on its way: the file ends with usher's token.
func TestQwenWipesWhileUsherRefreshes(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	b := h.shareWithQwen()
	first := h.token("qwen-oauth")
	q := h.qwen(b)
	time.Sleep(qwenDue) // until usher refreshes
	b.faults(`[{` + qwenEndpoint + `, "do": {"answer_delay_ms": 2000}}]`)
	p := h.start(h.command(binary, "token", "qwen-oauth", "--min-ttl", qwenTTL))
	go p.rest()
	oidcprovider.Poll(t, "the request of usher", func() bool { return b.qwenRefreshes().Requests == 1 })
	q.begin("wipe")
	q.answer()
	if _, err := os.Stat(h.sharedFile()); !os.IsNotExist(err) {
		t.Fatalf("the file after it was wiped: %v", err)
	}
	r := p.wait()
	second := strings.TrimSpace(r.stdout)
	if r.code != exitOK || second == first {
		t.Fatalf("usher token: exit %d\n%s", r.code, r.stderr)
	}
	q.wantAccepts(h, second)
	b.wantQwenRefreshes(1)
	b.accepts(second)
}

// TestQwenAndUsherRace lets several processes of both find at once that a
// refresh is due, over several expiries: one of them makes it.
func TestQwenAndUsherRace(t *testing.T) {
	t.Parallel()
	const rounds, tools, ushers = 2, 3, 4
	h := newHome(t)
	b := h.shareWithQwen()
	var qwens []*qwen
	for range tools {
		q := h.qwen(b)
		q.get("valid")
		qwens = append(qwens, q)
	}
	was, before := h.token("qwen-oauth"), b.qwenRefreshes().Requests // none, unless this took half a minute
	for round := 1; round <= rounds; round++ {
		time.Sleep(qwenDue) // until all refresh
		got := h.askAll(qwens, ushers)
		if len(got) != 1 || got[was] > 0 {
			t.Fatalf("round %d: %d different tokens, the old one %d times", round, len(got), got[was])
		}
		for was = range got {
			b.accepts(was)
		}
		b.wantQwenRefreshes(before + round)
		qwens[0].wantAccepts(h, was)
	}
}

// askAll asks the processes of the tool and as many new ones of usher for a
// token, all at once, and counts what they say.
func (h *home) askAll(qwens []*qwen, ushers int) map[string]int {
	h.t.Helper()
	var (
		all sync.WaitGroup
		mu  sync.Mutex
		got = map[string]int{}
	)
	say := func(token string) {
		mu.Lock()
		defer mu.Unlock()
		got[token]++
	}
	for _, q := range qwens {
		q.begin("valid")
	}
	for range ushers {
		p := h.start(h.command(binary, "token", "qwen-oauth", "--min-ttl", qwenTTL))
		all.Go(func() {
			p.rest()
			say(strings.TrimSpace(p.wait().stdout))
		})
	}
	for _, q := range qwens {
		if c := q.credentials(); c != nil {
			say(c.AccessToken)
		}
	}
	all.Wait()
	return got
}
