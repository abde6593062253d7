package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

var buildWeakReaders = sync.OnceValues(func() (string, error) { return buildReader("reader-weak", "-tags=weakrefresh") })

// losses are what a run cost, and what it was about.
type losses struct {
	logins   int // there were
	due      int // refresh tokens that were spent, for which one request each is needed
	requests int // refresh requests that the server saw
	killed   int // processes after their request, which has to be made again
	reuse    int // spent refresh tokens that the server saw
	revoked  int // logins that it ended for that
	lost     int // logins without a usable token in the end
}

func (l losses) plus(m losses) losses {
	return losses{
		l.logins + m.logins, l.due + m.due, l.requests + m.requests, l.killed + m.killed,
		l.reuse + m.reuse, l.revoked + m.revoked, l.lost + m.lost,
	}
}

// none reports whether no login and no request was lost.
func (l losses) none() bool {
	return l.reuse == 0 && l.revoked == 0 && l.lost == 0 && l.requests == l.due+l.killed
}

// conditions are what production and a variant meet alike.
type conditions struct {
	name string
	// run is false if the machine was too slow for the conditions to hold.
	run func(t *testing.T, program, variant string, random *rand.Rand) (losses, bool)
	// variants are the rules whose absence these conditions punish.
	variants []string
}

const (
	slowName = "a token endpoint that takes 600 ms, strict server"
	lateName = "a request of a killed process that arrives 6 s later, grace server"
)

var everyCondition = []conditions{
	{slowName, slowEndpoint, []string{"no-lock", "steal", "early-read"}},
	{lateName, lateRequest, []string{"no-hold-off"}},
}

// variantNames say what is switched off.
var variantNames = map[string]string{
	"":            "production",
	"no-lock":     "no lock",
	"steal":       "a lock that is taken over after 300 ms",
	"early-read":  "the token read before the lock",
	"no-hold-off": "no hold-off after an interrupted refresh",
}

// TestRefreshVariants runs production and builds that differ from it by one rule
// of the refresh protocol under the same conditions and from the same seed. What
// they lose and production does not is what the rule is worth.
func TestRefreshVariants(t *testing.T) {
	t.Parallel()
	t.Logf("-stress.seed=%d", *stressSeed)
	type run struct{ conditions, variant string }
	var mu sync.Mutex
	measured := make(map[run]losses)
	t.Run("all", func(t *testing.T) {
		for _, c := range everyCondition {
			for _, variant := range append([]string{""}, c.variants...) {
				t.Run(c.name+"/"+variantNames[variant], func(t *testing.T) {
					t.Parallel()
					got := c.repeat(t, variant)
					mu.Lock()
					defer mu.Unlock()
					measured[run{c.name, variant}] = got
				})
			}
		}
	})
	var table strings.Builder
	table.WriteString("| conditions | variant | logins | refreshes due | refresh requests | reuse seen | logins lost |\n|---|---|---|---|---|---|---|\n")
	for _, c := range everyCondition {
		for _, variant := range append([]string{""}, c.variants...) {
			got := measured[run{c.name, variant}]
			fmt.Fprintf(&table, "| %s | %s | %d | %d | %d | %d | %d |\n",
				c.name, variantNames[variant], got.logins, got.due, got.requests, got.reuse, got.lost)
			punished := got.reuse > 0 && got.revoked > 0 && got.lost > 0
			if variant == "" && !got.none() || variant != "" && !punished {
				t.Errorf("%s, %s: %+v", c.name, variantNames[variant], got)
			}
		}
	}
	t.Logf("losses\n%s", table.String())
}

// repeat runs the conditions once, or as often as there is time.
func (c conditions) repeat(t *testing.T, variant string) (sum losses) {
	program := must(t)(buildReaders())
	if variant != "" {
		program = must(t)(buildWeakReaders())
	}
	began, slow := time.Now(), 0
	for n := uint64(0); sum.logins == 0 || time.Since(began) < *stressTime; n++ {
		var got losses
		var fair bool
		// A test of its own, so that its processes end with it.
		fine := t.Run(fmt.Sprint(n+1), func(t *testing.T) {
			got, fair = c.run(t, program, variant, rand.New(rand.NewPCG(*stressSeed, n)))
		})
		sum = sum.plus(got)
		switch {
		case !fine:
			return sum
		case fair:
			slow = 0
		default:
			slow++
		}
		if slow == 3 {
			t.Fatal("this machine is too slow for these conditions")
		}
	}
	return sum
}

// slowEndpoint has processes read several credentials over some expiries, while
// each refresh takes longer than the patience of those who wait.
func slowEndpoint(t *testing.T, program, variant string, random *rand.Rand) (losses, bool) {
	const life, expiries = 5 * time.Second, 2
	h := newHome(t)
	box := h.box("--approve", "auto", "--interval", "1", "--token-lifetime", life.String())
	box.faults(`[{"endpoint": "token.refresh", "do": {"delay_ms": 600}}]`)
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "variants")
	keys := h.loginAll("here", 4)
	f := newFleet(t, h, box.issuer+"/resource", random, keys...)
	f.use(program, variant)
	f.readers(8, "reader", "-home", h.dir, "-pace", "50ms")
	f.await()
	// They renew after two thirds of the life.
	f.pause(expiries*(life-life/3) + 2*time.Second)
	f.finish()
	if variant == "" {
		f.content(life)
	}
	return f.losses(box), true
}

// lateLife and lateBy let the second refresh after an interrupted one happen
// before the late request without a hold-off, and after it with one: the spacing
// is a third, the hold-off half of the life.
const (
	lateLife = 15 * time.Second
	lateBy   = 6 * time.Second
)

// lateRequest kills processes that have just sent a refresh request, which
// arrives when others have refreshed since. Who asks for tokens with much life
// left gets them refreshed as often as the rules allow.
func lateRequest(t *testing.T, program, variant string, random *rand.Rand) (losses, bool) {
	h := newHome(t)
	box := h.box("--approve", "auto", "--interval", "1", "--rotation", "grace", "--token-lifetime", lateLife.String())
	c := newCourier(t, box.issuer+"/token", lateBy)
	h.must("provider", "add", "here", "--client-id", "variants",
		"--device-endpoint", box.issuer+"/device_authorization", "--token-endpoint", c.server.URL+"/token")
	keys := h.loginAll("here", 4)
	f := newFleet(t, h, box.issuer+"/resource", random, keys...)
	f.use(program, variant)
	for _, key := range keys {
		f.sendAndDie(c, key)
	}
	c.pass()
	f.readers(3, "reader", "-home", h.dir, "-pace", "50ms", "-min-ttl", "1h")
	f.await()
	if slowest := c.wait(); slowest >= lateLife/2 {
		t.Logf("the late request came %v late, after any hold-off", slowest)
		return losses{}, false
	}
	f.pause(lateLife/2 - lateBy + time.Second) // the hold-off ends
	f.finish()
	if variant == "" {
		f.content(lateLife)
	}
	got := f.losses(box)
	got.killed = len(keys)
	return got, true
}

// sendAndDie starts a process that needs a fresh token of key, and kills it when
// its request has left.
func (f *fleet) sendAndDie(c *courier, key string) {
	f.t.Helper()
	cmd := f.home.command(f.program, "-home", f.home.dir, "-keys", key, "-resource", f.show, "-pace", "20ms", "-min-ttl", "1h")
	cmd.Env = append(cmd.Env, f.env...)
	p := f.home.start(cmd)
	go p.rest()
	select {
	case <-c.kept:
	case <-time.After(60 * time.Second):
		f.t.Fatalf("no refresh of %s", key)
	}
	p.kill()
	p.wait()
}

// use has the members be processes of a variant.
func (f *fleet) use(program, variant string) {
	f.program, f.env = program, []string{"USHER_REFRESH_VARIANT=" + variant}
}

// content checks that no member was ever without a token, nor with one that the
// resource refused before its end was near.
func (f *fleet) content(life time.Duration) {
	f.t.Helper()
	for _, m := range f.members {
		for _, r := range m.told() {
			if r.Error != "" || !r.RefusedAt.IsZero() && r.RefusedAt.Before(r.ExpiresAt.Add(-life/5)) {
				f.t.Errorf("%s: %+v", m.name, r)
			}
		}
	}
}

// losses counts what was lost when the fleet has ended.
func (f *fleet) losses(b *box) losses {
	f.t.Helper()
	r := b.rotations()
	got := losses{logins: len(f.keys), requests: r.RefreshRequests, reuse: r.ReuseSeen, revoked: r.FamiliesRevoked}
	spent := make(map[string]bool)
	for _, request := range r.Requests {
		if form, err := url.ParseQuery(request.Raw.Body); err == nil && form.Has("refresh_token") {
			spent[form.Get("refresh_token")] = true
		}
	}
	got.due = len(spent)
	for _, key := range f.keys {
		if !f.alive(key) {
			got.lost++
		}
	}
	return got
}

// loginAll logs in to some accounts, a few at a time.
func (h *home) loginAll(provider string, n int) (keys []string) {
	h.t.Helper()
	var logins []*process
	for i := range n {
		key := fmt.Sprintf("%s/a%d", provider, i+1)
		keys = append(keys, key)
		p := h.start(h.command(binary, "login", key, "--qr=never"))
		go p.rest()
		logins = append(logins, p)
	}
	for _, p := range logins {
		if r := p.wait(); r.code != exitOK {
			h.t.Fatalf("login: exit %d, %s", r.code, r.stderr)
		}
	}
	return keys
}
