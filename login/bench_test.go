package login_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// crowd is an in-process provider of very many logins. What it keeps of them is
// made beforehand, so that it does not count as the registry's.
type crowd struct {
	interval time.Duration
	answered []time.Time // when each login's last poll was answered; zero before the first
	approved []atomic.Bool
	ended    []time.Duration // from when the last poll was due to the end that was told
	begun    atomic.Int64    // logins that have been polled since they were started or taken over

	mu   sync.Mutex
	late []time.Duration // of every poll but the first ones
}

// newCrowd is for n logins and so many polls. All of its memory is written to,
// or the kernel would only hand it out while it is measured.
func newCrowd(n, polls int, interval time.Duration) *crowd {
	c := &crowd{
		interval: interval, answered: make([]time.Time, n), approved: make([]atomic.Bool, n),
		ended: make([]time.Duration, n), late: make([]time.Duration, polls),
	}
	for i := range n {
		c.answered[i], c.ended[i] = time.Unix(1, 0), 1
		c.approved[i].Store(false)
	}
	clear(c.answered)
	for i := range c.late {
		c.late[i] = 1
	}
	c.late = c.late[:0]
	return c
}

func (c *crowd) Start(_ context.Context, r oauth.DeviceRequest) (*oauth.DeviceAuthorization, error) {
	n, err := strconv.Atoi(r.Extra.Get("n"))
	if err != nil {
		return nil, err
	}
	code := fmt.Sprintf("%08d", n)
	return &oauth.DeviceAuthorization{
		DeviceCode:   secret.New(code + "-GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS"),
		CodeVerifier: secret.New(code + "-dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
		UserCode:     "WD" + code[:2] + "-" + code[4:], VerificationURI: "https://login.provider.test/oauth/device",
		VerificationURIComplete: "https://login.provider.test/oauth/device?user_code=WD" + code[:2] + "-" + code[4:],
		ExpiresIn:               time.Hour, Interval: c.interval,
	}, nil
}

func (c *crowd) Poll(_ context.Context, g credential.DeviceGrant) (*oauth.Token, error) {
	now := time.Now()
	number, _, _ := strings.Cut(g.DeviceCode.Reveal(), "-")
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil, err
	}
	last := c.answered[n]
	if !last.IsZero() {
		c.mu.Lock()
		c.late = append(c.late, now.Sub(last)-c.interval)
		c.mu.Unlock()
		if c.approved[n].Load() {
			return &oauth.Token{AccessToken: secret.New("at-" + number), RefreshToken: secret.New("rt-" + number), Type: "Bearer", Lifetime: time.Hour}, nil
		}
	} else {
		c.begun.Add(1)
	}
	c.answered[n] = time.Now()
	return nil, pending
}

// memory is what the process uses: heap and stacks, and what the kernel says
// without the pages of the program's file. The garbage collector first gives back
// what it holds in reserve, which takes it more than one round.
func memory() (live, rss uint64) {
	for range 4 {
		debug.FreeOSMemory()
		time.Sleep(50 * time.Millisecond)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 2 {
			resident, _ := strconv.ParseUint(fields[1], 10, 64)
			shared, _ := strconv.ParseUint(fields[2], 10, 64)
			rss = (resident - shared) * uint64(os.Getpagesize())
		}
	}
	return m.HeapAlloc + m.StackInuse, rss
}

// quantile is the q-quantile of sorted.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1))]
}

// load is what many pending logins cost.
type load struct {
	perLogin, perLoginRSS float64 // bytes
	goroutines            int
	startTime             time.Duration
	late                  []time.Duration // sorted: poll calls
	bareLate              []time.Duration // sorted: a bare timer at the same time
	ended                 []time.Duration // sorted: ends, told after the durable writes
	bare                  []time.Duration // sorted: bare durable writes at the same time
	restart               time.Duration   // until a new registry had taken over what was pending
}

// pendingLogins keeps n logins pending in a daemon's registry over the file
// store for a while, and then approves every hundredth.
func pendingLogins(tb testing.TB, n int, interval, watch time.Duration) load {
	c := newCrowd(n, n*(int(watch/interval)+20), interval)
	home := filepath.Join(tb.TempDir(), "home")
	var authorized sync.WaitGroup
	baseLive, baseRSS := memory()
	r, stop := daemon(tb, c, home, &authorized)
	began := time.Now()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				key := credential.Key{Provider: "crowd", Account: strconv.FormatInt(i, 10)}
				if _, _, err := r.Start(tb.Context(), login.Request{Key: key, Scopes: []string{"openid", "profile"}, Initiator: "/v1", Origin: "me@host", Extra: url.Values{"n": {key.Account}}}); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	l := load{startTime: time.Since(began)}
	time.Sleep(2 * interval)
	c.mu.Lock()
	c.late = c.late[:0] // the starts are over
	c.mu.Unlock()
	l.bareLate = bareTimer(watch)
	c.mu.Lock()
	seen := len(c.late)
	c.mu.Unlock()

	live, rss := memory()
	l.perLogin, l.perLoginRSS = float64(live-baseLive)/float64(n), (float64(rss)-float64(baseRSS))/float64(n)
	l.goroutines = runtime.NumGoroutine()
	c.mu.Lock()
	l.late = slices.Clone(c.late[:seen])
	c.mu.Unlock()

	for i := 0; i < n; i += 100 {
		authorized.Add(1)
		c.approved[i].Store(true)
	}
	l.bare = bareWrites(tb, &authorized)
	for i := 0; i < n; i += 100 {
		l.ended = append(l.ended, c.ended[i])
	}
	slices.Sort(l.late)
	slices.Sort(l.ended)

	stop()
	clear(c.answered)
	c.begun.Store(0)
	left := int64(n - len(l.ended))
	began = time.Now()
	_, stop = daemon(tb, c, home, &authorized)
	for deadline := began.Add(5 * time.Minute); c.begun.Load() < left; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("%d of %d logins were polled after the restart", c.begun.Load(), left)
		}
	}
	l.restart = time.Since(began) - interval
	stop()
	return l
}

// daemon opens the store in home and runs the registry of a daemon over it.
func daemon(tb testing.TB, c *crowd, home string, authorized *sync.WaitGroup) (r *login.Registry, stop func()) {
	store, err := filestore.Open(home)
	if err != nil {
		tb.Fatal(err)
	}
	r = login.New(login.Config{
		Store: store, Providers: map[string]login.Provider{"crowd": c}, MaxActive: len(c.ended), Adopt: true,
		Observe: func(e login.Event) {
			if e.Type == login.Authorized {
				i, _ := strconv.Atoi(e.Login.Key.Account)
				c.ended[i] = time.Since(c.answered[i]) - c.interval
				authorized.Done()
			}
		},
	})
	return r, func() {
		if err := errors.Join(r.Close(context.Background()), store.Close()); err != nil {
			tb.Error(err)
		}
	}
}

// bareTimer waits for a timer of 5 ms over and over, and returns how late it was.
func bareTimer(watch time.Duration) (late []time.Duration) {
	const step = 5 * time.Millisecond
	for end := time.Now().Add(watch); time.Now().Before(end); {
		began := time.Now()
		time.Sleep(step)
		late = append(late, time.Since(began)-step)
	}
	slices.Sort(late)
	return late
}

// bareWrites replaces a file durably, some twenty times a second, until wg is
// done: what the disk can do meanwhile.
func bareWrites(tb testing.TB, wg *sync.WaitGroup) (took []time.Duration) {
	path := filepath.Join(tb.TempDir(), "file")
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for {
		began := time.Now()
		if err := atomicfile.Write(path, make([]byte, 1024), 0o600); err != nil {
			tb.Error(err)
		}
		took = append(took, time.Since(began))
		select {
		case <-done:
			slices.Sort(took)
			return took
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Many pending logins need no goroutine and no kilobyte each.
func TestPendingLoginsAreCheap(t *testing.T) {
	before := runtime.NumGoroutine()
	l := pendingLogins(t, 100, time.Second, time.Second)
	if got := l.goroutines - before; got > 20 {
		t.Errorf("%d goroutines for 100 pending logins", got)
	}
	if len(l.late) < 50 || len(l.ended) != 1 {
		t.Errorf("%d polls and %d ends were seen, want 100 and 1", len(l.late), len(l.ended))
	}
	if l.late[0] < 0 {
		t.Errorf("polled %v early", -l.late[0])
	}
}

// BenchmarkPendingLogins keeps 10,000 logins pending in a daemon's registry. An
// end is three durable writes: the token won, the credential, and the end.
func BenchmarkPendingLogins(b *testing.B) {
	n, interval, watch := 10_000, 5*time.Second, 15*time.Second
	if testing.Short() {
		n, interval, watch = 100, time.Second, time.Second
	}
	// The pages of the program that are read in meanwhile are no login's.
	pendingLogins(b, 200, time.Second, time.Second)
	for range b.N {
		l := pendingLogins(b, n, interval, watch)
		b.ReportMetric(l.perLogin, "B/login")
		b.ReportMetric(l.perLoginRSS, "RSS-B/login")
		b.ReportMetric(float64(l.goroutines), "goroutines")
		b.ReportMetric(l.startTime.Seconds(), "start-s")
		b.ReportMetric(ms(quantile(l.late, 0.5)), "late-p50-ms")
		b.ReportMetric(ms(quantile(l.late, 0.99)), "late-p99-ms")
		b.ReportMetric(ms(quantile(l.late, 1)), "late-max-ms")
		b.ReportMetric(ms(quantile(l.bareLate, 0.5)), "timer-p50-ms")
		b.ReportMetric(ms(quantile(l.bareLate, 0.99)), "timer-p99-ms")
		b.ReportMetric(ms(quantile(l.ended, 0.5)), "end-p50-ms")
		b.ReportMetric(ms(quantile(l.ended, 0.99)), "end-p99-ms")
		b.ReportMetric(ms(quantile(l.bare, 0.5)), "bare-write-p50-ms")
		b.ReportMetric(ms(quantile(l.bare, 0.99)), "bare-write-p99-ms")
		b.ReportMetric(l.restart.Seconds(), "restart-s")
	}
	b.ReportMetric(0, "ns/op")
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
