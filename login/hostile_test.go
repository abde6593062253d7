package login_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/oauthtest"
)

// hostileServer answers as a case says at the paths that are hostile, and as a
// server should at /device otherwise. Its connections are real ones within
// the bubble.
func hostileServer(t *testing.T, c oauthtest.Case, path string) (hc *http.Client, seen func() []time.Time) {
	network := memhttp.NewNetwork()
	var mu sync.Mutex
	var at []time.Time
	hostile := oauthtest.Handler(c)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"device_code":"dc-1","user_code":"ABCD-EFGH","verification_uri":"https://as.test/d","expires_in":60,"interval":5}`))
			return
		}
		mu.Lock()
		at = append(at, time.Now())
		mu.Unlock()
		hostile.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(network) }()
	t.Cleanup(func() {
		_ = server.Close()
		time.Sleep(time.Second) // of the bubble: a dripping answer notices at its next drop
	})
	hc = oauth.NewHTTPClient()
	hc.Transport.(*http.Transport).DialContext = network.DialContext
	hc.Transport.(*http.Transport).Proxy = nil
	return hc, func() []time.Time {
		mu.Lock()
		defer mu.Unlock()
		return at
	}
}

var hostileBinding = credential.Binding{
	Endpoints: oauth.Endpoints{DeviceAuthorization: "http://127.0.0.1/device", Token: "http://127.0.0.1/token"},
	ClientID:  "cli", AuthStyle: oauth.AuthNone, Dialect: oauth.DialectStandard,
}

// Whatever a server answers to the start of a login: one request, and either
// a pending login with something to show or an error and nothing left behind.
func TestHostileDeviceAnswers(t *testing.T) {
	n := 0
	for _, c := range oauthtest.Cases(t) {
		if c.Device == nil {
			continue
		}
		n++
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hc, seen := hostileServer(t, c, "/device")
				b := newBench(t)
				r := b.registry(func(cfg *login.Config) { cfg.Providers, cfg.HTTP = nil, hc })
				s, _, err := r.Start(t.Context(), login.Request{Key: key, Binding: hostileBinding})
				if (err == nil) != c.Device.OK {
					t.Errorf("Start = %v, want ok %v", err, c.Device.OK)
				}
				if got := len(seen()); got != 1 {
					t.Errorf("the server saw %d requests, want 1", got)
				}
				all, listErr := r.List(t.Context())
				if listErr != nil {
					t.Fatal(listErr)
				}
				if err == nil {
					shown, prompted := s.Prompt()
					if s.Status() != credential.LoginPending || !prompted || shown.UserCode == "" || shown.VerificationURI == "" ||
						s.Interval < time.Second || s.ExpiresAt.After(time.Now().Add(time.Hour)) {
						t.Errorf("pending as %+v", s.Login)
					}
				} else if len(all) != 0 {
					t.Errorf("left behind %+v", all)
				}
			})
		})
	}
	if n < 100 {
		t.Errorf("%d cases are about the device endpoint, want 100 at least", n)
	}
}

// Whatever a server answers to polls: never faster than the interval, never a
// credential that is not one, and an end by the deadline at the latest.
func TestHostilePollAnswers(t *testing.T) {
	n := 0
	for _, c := range oauthtest.Cases(t) {
		if c.Poll == nil {
			continue
		}
		n++
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hc, seen := hostileServer(t, c, "/token")
				b := newBench(t)
				r := b.registry(func(cfg *login.Config) { cfg.Providers, cfg.HTTP = nil, hc })
				began := time.Now()
				s, _, err := r.Start(t.Context(), login.Request{Key: key, Binding: hostileBinding})
				if err != nil {
					t.Fatal(err)
				}
				end := b.wait(r, s.ID)
				polls := seen()
				if want := c.Poll.Attempts; len(polls) == 0 || want > 0 && len(polls) != want {
					t.Errorf("the server saw %d polls, want %d (0: any number)", len(polls), want)
				}
				for i, gap := range gapsOf(polls) {
					if gap < 5*time.Second {
						t.Errorf("gap %d is %v", i, gap)
					}
				}
				if took := time.Since(began); took > 60*time.Second+30*time.Second {
					t.Errorf("took %v, though the code lives for a minute", took)
				}
				_, getErr := b.store.Get(t.Context(), key)
				if stored := getErr == nil; stored != c.Poll.OK || (end.Status() == credential.LoginAuthorized) != c.Poll.OK {
					t.Errorf("ended as %s (%+v), stored %v, want ok %v", end.Status(), end.Failure(), stored, c.Poll.OK)
				}
			})
		})
	}
	if n < 100 {
		t.Errorf("%d cases are about polls, want 100 at least", n)
	}
}
