package e2e

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	stressTime = flag.Duration("stress.time", 0, "how long each part of the stress tests goes on; 0: briefly")
	stressSeed = flag.Uint64("stress.seed", rand.Uint64(), "what the stress tests draw their delays from")
)

// stressLife is the life of the tokens under stress. They are due for renewal
// after two thirds of it, and handed out while a fifth of it is left.
const stressLife = 4 * time.Second

// stressBriefly is how long the stress lasts unless asked for more: eight
// expiries.
const stressBriefly = 22 * time.Second

// longestGap is how long a process may be without a token on a machine with too
// much to do: half of what a rotation may take.
const longestGap = 30 * time.Second

// graceTakes is what a refresh takes at the server that forgives, so that kills
// hit it.
const graceTakes = 150 * time.Millisecond

// A crowd is a fleet and what happens to it.
type crowd struct {
	rotation string // of the sandbox
	daemon   bool
	// readers use the packages, clients ask the daemon, shells run usher token.
	readers, clients, shells int
	strikes                  []strike
	every                    time.Duration // between two strikes
	faults                   string
}

var crowds = map[string]crowd{
	"64 processes": {
		rotation: "strict", faults: "[]", readers: 48, shells: 16, strikes: gently, every: 250 * time.Millisecond,
	},
	"32 processes beside 32 of a daemon": {
		rotation: "strict", faults: "[]", daemon: true, readers: 32, clients: 22, shells: 10, strikes: gently, every: 250 * time.Millisecond,
	},
	// A server that accepts the token before once more lets every kill be
	// survived, also one between the request and the disk.
	"killed in their rotations": {
		rotation: "grace", readers: 12, shells: 4, every: 50 * time.Millisecond,
		faults:  fmt.Sprintf(`[{"endpoint": "token.refresh", "do": {"answer_delay_ms": %d}}]`, graceTakes/time.Millisecond),
		strikes: []strike{killHolder(graceTakes), killHolder(graceTakes), stopAndContinue, end(syscall.SIGTERM), end(syscall.SIGINT)},
	},
}

// TestStress has many processes use one credential over many of its expiries,
// while they are stopped, ended and killed. The server punishes a refresh token
// that is spent twice, and its record is what they are judged by.
func TestStress(t *testing.T) {
	t.Parallel()
	t.Logf("-stress.seed=%d", *stressSeed)
	for name, c := range crowds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.run(t, rand.New(rand.NewPCG(*stressSeed, 0)))
		})
	}
}

func (c crowd) run(t *testing.T, random *rand.Rand) {
	h := newHome(t)
	box := h.box("--approve", "auto", "--interval", "1", "--rotation", c.rotation, "--token-lifetime", stressLife.String())
	box.faults(c.faults)
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "stress")
	socket, stop := "", func() {}
	if c.daemon {
		socket, stop = h.serveAlone()
	}
	h.must("login", "here", "--qr=never")

	f := newFleet(t, h, box.issuer+"/resource", random, "here")
	f.strikes = c.strikes
	f.readers(c.readers, "reader", "-home", h.dir)
	f.readers(c.clients, "client", "-socket", socket, "-pace", "500ms")
	f.shells(c.shells, "shell", time.Second)
	f.await()
	began := time.Now()
	f.rage(c.every)
	l := &ledger{box: box}
	for end := began.Add(cmp.Or(*stressTime, stressBriefly)); time.Now().Before(end) && f.ctx.Err() == nil; {
		f.pause(min(20*time.Second, time.Until(end)))
		l.look()
	}
	f.finish()
	stop() // it renews by itself
	c.judge(f, l, f.generation("here")-1, time.Since(began))
	if !f.alive("here") {
		t.Error("the login is lost")
	}
}

// judge holds what the fleet got against what the server saw. Each generation
// after that of the login is an expiry.
func (c crowd) judge(f *fleet, l *ledger, expiries int, took time.Duration) {
	t, issues := f.t, l.issues()
	past := newHistory(t, stressLife, issues)
	if c.rotation == "grace" {
		past = newHistory(t, stressLife, f.read(issues))
	}
	for _, m := range f.members {
		past.check(m)
	}
	if past.gap > longestGap {
		t.Errorf("somebody had no token for %v", past.gap)
	}
	got, killed := l.last, f.done["killed in a rotation"]
	t.Logf("%d processes for %v, struck: %v", len(f.members), took.Round(time.Second), f.done)
	t.Logf("%d expiries, %d refresh requests, %v apart at least, overlap %d, reuse seen %d, families revoked %d",
		expiries, got.RefreshRequests, past.closest().Round(time.Millisecond), got.Overlap, got.ReuseSeen, got.FamiliesRevoked)
	t.Logf("%d tokens read, %d shown to the resource, %d of them too late; nobody without one for more than %v",
		past.reads, past.shown, past.late, past.gap.Round(time.Millisecond))

	if got.ReuseSeen != 0 || got.FamiliesRevoked != 0 {
		t.Errorf("reuse seen %d, families revoked %d, want none", got.ReuseSeen, got.FamiliesRevoked)
	}
	if expiries < int(took/stressLife/2) {
		t.Errorf("%d expiries in %v", expiries, took)
	}
	if c.rotation == "grace" {
		// Each process that is killed between request and disk costs a request.
		if extra := got.RefreshRequests - expiries; extra < 0 || extra > killed || killed == 0 {
			t.Errorf("%d refresh requests for %d expiries and %d kills", got.RefreshRequests, expiries, killed)
		}
		return
	}
	if got.RefreshRequests != expiries || got.RefreshesGranted != expiries || got.Overlap != 1 {
		t.Errorf("%d refresh requests, %d granted, overlap %d, want %d, %[4]d, 1",
			got.RefreshRequests, got.RefreshesGranted, got.Overlap, expiries)
	}
	if least := stressLife - stressLife/3; past.closest() < least {
		t.Errorf("refresh requests came %v apart, want %v or more", past.closest(), least)
	}
}

// read are those issues that any member has read: not the answers that died
// with the process they were for.
func (f *fleet) read(issues []issue) []issue {
	known := make(map[string]bool)
	for _, m := range f.members {
		for _, r := range m.told() {
			known[r.Token] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(issues), func(i issue) bool { return !known[i.token] })
}

// serveAlone starts a daemon that is reached without a proxy, and that is stopped
// for a moment now and again. It returns the daemon's socket, and what ends it.
func (h *home) serveAlone() (socket string, end func()) {
	h.t.Helper()
	p := h.start(h.command(binary, "serve", "--listen", "127.0.0.1:0", "--json"))
	socket = decode[struct{ Socket string }](h.t, p.line()).Socket
	go p.rest()
	ctx, cancel := context.WithCancel(context.Background())
	var stopping sync.WaitGroup
	stopping.Go(func() {
		for ctx.Err() == nil {
			pause(ctx, 3*time.Second)
			_ = p.cmd.Process.Signal(syscall.SIGSTOP) // that it lives is seen in the end
			pause(ctx, longestStop/2)
			_ = p.cmd.Process.Signal(syscall.SIGCONT)
		}
	})
	end = sync.OnceFunc(func() {
		cancel()
		stopping.Wait()
		p.terminate()
		if r := p.wait(); r.code != exitOK {
			h.t.Errorf("the daemon ended with %d: %s", r.code, r.stderr)
		}
	})
	h.t.Cleanup(end)
	return socket, end
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
