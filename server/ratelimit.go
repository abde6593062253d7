package server

import (
	"cmp"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/usherauth/usher/api"
)

// RateLimit bounds how often one client may ask, so that one that has gone wild
// leaves room for the others. It is no defence against who holds the bearer and
// means harm: on loopback clients are told apart by the client id they claim,
// elsewhere by their address and that id.
//
// Health checks, heartbeats, event streams and the owner's socket are not limited.
type RateLimit struct {
	// Read bounds the requests that change nothing (GET, HEAD), Mutation all
	// others, per Window; 0 means 120 and 30.
	Read, Mutation int
	// Window is the time that Read and Mutation are counted in, which is also
	// how long an exhausted client takes to have all of them again; 0 means a
	// minute.
	Window time.Duration
}

// The limits of a [RateLimit] that says nothing.
const (
	defaultRead     = 120
	defaultMutation = 30
	defaultWindow   = time.Minute
)

// maxLimited bounds the clients that are told apart at a time. Those beyond
// share one bucket: with a limit that is off beyond, drawing client ids would
// switch it off.
const maxLimited = 10_000

// forgetEvery is how often at most the limiter looks for clients to forget.
const forgetEvery = time.Second

// A tier is one of the limits of a client.
type tier int

const (
	tierRead tier = iota
	tierMutation
)

func (t tier) String() string { return [...]string{"read", "mutation"}[t] }

func tierOf(r *http.Request) tier {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return tierRead
	}
	return tierMutation
}

// limiter is token buckets that refill steadily. A bucket is kept as the time at
// which it will be full again (the generic cell rate algorithm), so that a full
// one need not be kept.
type limiter struct {
	window time.Duration
	limit  [2]int

	mu      sync.Mutex
	full    [2]map[string]time.Time
	forgets time.Time // the next time to look for clients to forget
}

func newLimiter(c RateLimit) *limiter {
	l := &limiter{
		window: cmp.Or(c.Window, defaultWindow),
		limit:  [2]int{cmp.Or(c.Read, defaultRead), cmp.Or(c.Mutation, defaultMutation)},
	}
	for t := range l.full {
		l.full[t] = make(map[string]time.Time)
	}
	return l
}

// take takes one request of tier t from client's bucket, or returns how long it
// will be empty.
func (l *limiter) take(t tier, client string, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	buckets := l.full[t]
	if _, known := buckets[client]; !known && len(buckets) >= maxLimited && !l.forget(t, now) {
		client = "" // nobody's key
	}
	full := buckets[client]
	if full.Before(now) {
		full = now
	}
	full = full.Add(l.window / time.Duration(l.limit[t]))
	if wait := full.Sub(now) - l.window; wait > 0 {
		return wait
	}
	buckets[client] = full
	return 0
}

// forget forgets the clients of t whose buckets are full, and reports whether
// there is room for another one now.
func (l *limiter) forget(t tier, now time.Time) bool {
	if now.Before(l.forgets) {
		return false
	}
	l.forgets = now.Add(forgetEvery)
	for client, full := range l.full[t] {
		if !full.After(now) {
			delete(l.full[t], client)
		}
	}
	return len(l.full[t]) < maxLimited
}

// checkRate refuses who has asked too often.
func (g *gateway) checkRate(r *http.Request, rt *compiled) error {
	if g.limits == nil || g.trusted || rt.unlimited || r.Method == http.MethodOptions {
		return nil
	}
	now, t := time.Now(), tierOf(r)
	if wait := g.limits.take(t, g.clientKey(r), now); wait > 0 {
		return &rateError{tier: t, limit: g.limits.limit[t], wait: wait, reset: now.Add(wait)}
	}
	return nil
}

// clientKey is whom the limiter takes r's sender for. A client id that is no
// client id counts as none.
func (g *gateway) clientKey(r *http.Request) string {
	id, err := clientID(r)
	if err != nil {
		id = ""
	}
	if !g.loopback {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		return host + " " + id
	}
	if id == "" {
		return "anonymous"
	}
	return "cid:" + id
}

// rateError is a request too many.
type rateError struct {
	tier  tier
	limit int
	wait  time.Duration
	reset time.Time
}

func (*rateError) Error() string { return "Rate limit exceeded" }

// As makes it an [api.Error] for the native surface.
func (e *rateError) As(target any) bool {
	t, ok := target.(**api.Error)
	if ok {
		*t = api.Errorf(api.CodeRateLimited, "%s", e.Error()).
			WithHint("the limit is %d requests that %s; wait for %d s", e.limit,
				[...]string{"read", "change something"}[e.tier], e.seconds())
	}
	return ok
}

func (e *rateError) seconds() int { return int(math.Ceil(e.wait.Seconds())) }

func (e *rateError) header(h http.Header) {
	h.Set("Retry-After", strconv.Itoa(e.seconds()))
	h.Set("X-RateLimit-Limit", strconv.Itoa(e.limit))
	h.Set("X-RateLimit-Remaining", "0")
	h.Set("X-RateLimit-Reset", strconv.FormatInt(int64(math.Ceil(float64(e.reset.UnixMilli())/1000)), 10))
}

func (e *rateError) compat() *compatError {
	err := compat(http.StatusTooManyRequests, string(api.CodeRateLimited), e.Error())
	err.body.Tier = e.tier.String()
	err.body.RetryAfterMs = int64(math.Ceil(float64(e.wait) / float64(time.Millisecond)))
	return err
}

// unlimited reports whether rt is not limited: what watches the daemon or says
// that a client lives, and the streams, which ask once.
func unlimited(rt route) bool {
	return rt.access == public || strings.HasSuffix(rt.pattern, "/events") || strings.HasSuffix(rt.pattern, "/heartbeat")
}
