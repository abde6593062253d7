package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/e2e/refreshproc"
)

// A rotationRecord is what the sandbox saw of refreshes.
type rotationRecord struct {
	RefreshRequests  int `json:"refresh_requests"`
	RefreshesGranted int `json:"refreshes_granted"`
	ReuseSeen        int `json:"reuse_seen"`
	FamiliesRevoked  int `json:"families_revoked"`
	Overlap          int
	Requests         []rotationRequest
	Secrets          []struct{ Kind, Value string }
}

type rotationRequest struct {
	Endpoint string
	Number   int
	Time     time.Time
	Outcome  string
	Raw      struct{ Body string }
}

func (b *box) rotations() rotationRecord {
	b.t.Helper()
	resp, err := http.Get(b.issuer + "/_sandbox/record?secrets=1")
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	var record rotationRecord
	if err := json.NewDecoder(resp.Body).Decode(&record); err != nil {
		b.t.Fatal(err)
	}
	return record
}

// A ledger keeps what the sandbox, which remembers its last requests only, saw
// of the refreshes of one login.
type ledger struct {
	box  *box
	mu   sync.Mutex
	last rotationRecord
	won  time.Time               // when the login's token was asked for
	seen map[int]rotationRequest // refresh requests by number
}

// look takes note of what there is by now.
func (l *ledger) look() {
	l.box.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = l.box.rotations()
	if l.seen == nil {
		l.seen = make(map[int]rotationRequest)
	}
	for _, r := range l.last.Requests {
		switch {
		case r.Endpoint == "token.refresh":
			l.seen[r.Number] = r
		case r.Endpoint == "token.device" && r.Outcome == "issued":
			l.won = r.Time
		}
	}
}

// An issue is an access token that the sandbox issued, named as in a Reading,
// and when it was asked for.
type issue struct {
	token string
	at    time.Time
}

// issues are all access tokens in order; the first is the login's.
func (l *ledger) issues() []issue {
	l.box.t.Helper()
	l.look()
	all := []issue{{at: l.won}}
	for _, n := range slices.Sorted(maps.Keys(l.seen)) {
		if r := l.seen[n]; r.Outcome == "issued" {
			all = append(all, issue{at: r.Time})
		}
	}
	n := 0
	for _, s := range l.last.Secrets {
		if s.Kind != "access_token" {
			continue
		}
		if n < len(all) {
			sum := sha256.Sum256([]byte(s.Value))
			all[n].token = hex.EncodeToString(sum[:8])
		}
		n++
	}
	if n != len(all) || len(l.seen) != l.last.RefreshRequests {
		l.box.t.Fatalf("the sandbox remembers %d access tokens and %d of %d refreshes", n, len(l.seen), l.last.RefreshRequests)
	}
	return all
}

// A history is what the members of a fleet were handed out, held against what
// was there.
type history struct {
	t        *testing.T
	lifetime time.Duration
	issues   []issue
	order    map[string]int // index into issues by token
	wrong    map[*member]int

	reads, shown int
	late         int           // refusals of tokens whose end had come on their way
	gap          time.Duration // the longest time of a member without an answer
}

func newHistory(t *testing.T, lifetime time.Duration, issues []issue) *history {
	h := &history{t: t, lifetime: lifetime, issues: issues, order: make(map[string]int), wrong: make(map[*member]int)}
	for i, s := range issues {
		h.order[s.token] = i
	}
	return h
}

// complain reports what was wrong with a member. One that has lost its login has
// more to tell than anybody wants to read.
func (h *history) complain(m *member, format string, args ...any) {
	h.t.Helper()
	if h.wrong[m]++; h.wrong[m] <= 3 {
		h.t.Errorf("%s %s", m.name, fmt.Sprintf(format, args...))
	}
}

// check judges what a member read, in order.
func (h *history) check(m *member) {
	h.t.Helper()
	newest := 0
	var answered time.Time
	for _, r := range m.told() {
		if r.Error != "" {
			h.complain(m, "got no token at %v: %s", r.First.Format(time.StampMilli), r.Error)
			continue
		}
		i, known := h.order[r.Token]
		if !known {
			h.complain(m, "read a token that was never issued")
			continue
		}
		if i < newest {
			h.complain(m, "read token %d after token %d", i, newest)
		}
		newest = max(newest, i)
		h.judge(m, i, r)
		if !answered.IsZero() {
			h.gap = max(h.gap, r.First.Sub(answered), r.Longest)
		}
		answered = r.Answered
		h.reads += r.Count
		h.shown += r.Shown
	}
	h.gap = max(h.gap, m.fleet.ended.Sub(answered))
}

// judge checks a reading of token i: when it was asked for last, the token was
// the newest or the one before, and had the life left that it is promised to
// have. A refusal is one that came too soon, or the token took its time.
func (h *history) judge(m *member, i int, r refreshproc.Reading) {
	h.t.Helper()
	if i+2 < len(h.issues) && h.issues[i+2].at.Before(r.Last) {
		h.complain(m, "read token %d at %v, when %d was replaced already",
			i, r.Last.Format(time.StampMilli), i+1)
	}
	if left := r.ExpiresAt.Sub(r.Last); left <= h.lifetime/5 {
		h.complain(m, "read a token that had %v left", left)
	}
	switch {
	case r.RefusedAt.IsZero():
	case r.RefusedAt.Before(h.issues[i].at.Add(h.lifetime)):
		h.complain(m, "was refused token %d by the resource, %v old", i, r.RefusedAt.Sub(h.issues[i].at))
	default:
		h.late++
	}
}

// closest is the least time between two successive requests that were granted.
func (h *history) closest() time.Duration {
	least := h.lifetime
	for i := 1; i < len(h.issues); i++ {
		least = min(least, h.issues[i].at.Sub(h.issues[i-1].at))
	}
	return least
}
