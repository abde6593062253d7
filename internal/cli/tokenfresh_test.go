package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
)

// safeTalker is talker for several goroutines.
func safeTalker() (*app, *safeBuffer) {
	a, _ := talker()
	said := &safeBuffer{}
	a.err = term.New(said, a.getenv)
	return a, said
}

// mint is a service whose tokens are new when the last one has less life than was
// asked for, as far as that can be had.
type mint struct {
	service
	life time.Duration

	mu      sync.Mutex
	n       int
	last    api.Token
	expires map[string]time.Time
	fail    error
}

func (m *mint) Token(_ context.Context, r api.TokenRequest) (api.Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return api.Token{}, m.fail
	}
	wanted := min(time.Duration(r.MinTTL)*time.Second, m.life*2/3)
	if left := time.Until(m.last.ExpiresAt); m.n == 0 || left < max(wanted, m.life/5) {
		m.n++
		m.last = api.Token{AccessToken: fmt.Sprintf("token-%d", m.n), ExpiresAt: time.Now().Add(m.life)}
		m.expires[m.last.AccessToken] = m.last.ExpiresAt
	}
	return m.last, nil
}

func (m *mint) set(fail error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = fail
}

// keeping keeps a file fresh in a bubble, from a token that has left of its life.
func keeping(t *testing.T, m *mint, left time.Duration) (path string, said *safeBuffer, stop func()) {
	t.Helper()
	m.expires = map[string]time.Time{}
	a, said := safeTalker()
	f := &tokenFiles{dir: t.TempDir()}
	first, err := m.Token(t.Context(), api.TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(m.life - left)
	f.add("AT", "here", first)
	if err := f.write(f.files[0]); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.keepFresh(ctx, &session{app: a, now: m}, f)
	}()
	return filepath.Join(f.dir, "AT"), said, func() { cancel(); <-done }
}

// TestTheFileIsAlwaysFresh: whenever it is read, it has a token that works.
func TestTheFileIsAlwaysFresh(t *testing.T) {
	for _, life := range []time.Duration{2 * time.Second, 10 * time.Second, time.Minute, time.Hour} {
		for _, left := range []time.Duration{life, life / 2, life/5 + time.Millisecond} {
			t.Run(fmt.Sprintf("%v of %v", left, life), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := &mint{life: life}
					path, said, stop := keeping(t, m, left)
					defer stop()
					for range 1000 {
						time.Sleep(life / 200)
						data, err := os.ReadFile(path)
						if err != nil {
							t.Fatal(err)
						}
						m.mu.Lock()
						ends, known := m.expires[string(data)]
						m.mu.Unlock()
						least := min(life/3, freshBefore-2*longestLook)
						if string(data) == "token-1" { // when it began is not ours to choose
							least = 1
						}
						if !known || time.Until(ends) < least {
							t.Fatalf("%q has %v left", data, time.Until(ends))
						}
					}
					if most := 1000/100 + 2; m.n < 4 || m.n > most && life < freshBefore {
						t.Errorf("%d tokens, want 4 to %d", m.n, most)
					}
					if said.String() != "" {
						t.Errorf("said %q", said.String())
					}
				})
			})
		}
	}
}

// TestTroubleIsToldOnce, and its end.
func TestTroubleIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mint{life: time.Minute}
		path, said, stop := keeping(t, m, time.Minute)
		defer stop()
		m.set(api.Errorf(api.CodeLoginNeeded, "login needed for here").WithHint("run: usher login here"))
		time.Sleep(10 * time.Minute)
		want := "usher: warning: the token of here in AT cannot be kept fresh: login needed for here\nhint: run: usher login here\n"
		if got := said.String(); got != want {
			t.Errorf("said %q\nwant %q", got, want)
		}
		m.set(nil)
		time.Sleep(longestRetry + time.Second)
		if got := strings.TrimPrefix(said.String(), want); got != "usher: the token of here in AT is fresh again\n" {
			t.Errorf("then %q", got)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) == "token-1" {
			t.Errorf("the file has %q, %v", data, err)
		}
	})
}

// TestATokenWithoutAnEndIsReplaced when there is another one, such as after a new
// login.
func TestATokenWithoutAnEndIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mint{life: time.Hour, n: 1, last: api.Token{AccessToken: "first"}}
		forever := &eternal{mint: m}
		a, _ := safeTalker()
		f := &tokenFiles{dir: t.TempDir()}
		f.add("AT", "here", m.last)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { a.keepFresh(ctx, &session{app: a, now: forever}, f); close(done) }()
		time.Sleep(time.Hour)
		m.mu.Lock()
		m.last.AccessToken = "second"
		m.mu.Unlock()
		time.Sleep(longestLook + time.Second)
		if data, err := os.ReadFile(filepath.Join(f.dir, "AT")); err != nil || string(data) != "second" {
			t.Errorf("the file has %q, %v", data, err)
		}
		cancel()
		<-done
	})
}

// eternal hands out the last token of a mint, which does not end.
type eternal struct{ *mint }

func (e *eternal) Token(context.Context, api.TokenRequest) (api.Token, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last, nil
}
