package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/provider"
)

const issuer = "https://id.example.com"

// An idp is an authorization server's metadata, served in process so that a
// test can bring its own time.
type idp struct {
	mu       sync.Mutex
	metadata map[string]any
	status   int           // other than 200: answered instead of metadata
	broken   bool          // no answer at all
	delay    time.Duration // before each answer
	requests int
}

func newIDP() *idp {
	return &idp{status: http.StatusOK, metadata: map[string]any{
		"issuer":                        issuer,
		"device_authorization_endpoint": issuer + "/device",
		"authorization_endpoint":        issuer + "/authorize",
		"token_endpoint":                issuer + "/token",
		"revocation_endpoint":           issuer + "/revoke",
		"userinfo_endpoint":             issuer + "/me",
	}}
}

// discovered are the endpoints that newIDP publishes.
func discovered() oauth.Endpoints {
	return oauth.Endpoints{
		Issuer: issuer, DeviceAuthorization: issuer + "/device", Authorization: issuer + "/authorize",
		Token: issuer + "/token", Revocation: issuer + "/revoke", Userinfo: issuer + "/me",
	}
}

func (s *idp) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.requests++
	delay, broken, status := s.delay, s.broken, s.status
	body, err := json.Marshal(s.metadata)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(delay):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	if broken {
		return nil, errors.New("connection refused")
	}
	answer := httptest.NewRecorder()
	answer.Header().Set("Content-Type", "application/json")
	answer.WriteHeader(status)
	if status == http.StatusOK {
		if _, err := answer.Write(body); err != nil {
			return nil, err
		}
	}
	response := answer.Result()
	response.Request = req
	return response, nil
}

func (s *idp) set(change func(*idp)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// took returns the requests since it was last asked.
func (s *idp) took() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.requests
	s.requests = 0
	return n
}

func (s *idp) resolver() *provider.Resolver {
	return &provider.Resolver{HTTP: &http.Client{Transport: s}}
}

// byIssuer is a provider that is all discovery.
func byIssuer() provider.Provider {
	return provider.Provider{Name: "mine", ClientID: "x", Issuer: issuer, Endpoints: oauth.Endpoints{Issuer: issuer}}
}

func TestResolve(t *testing.T) {
	explicit := oauth.Endpoints{DeviceAuthorization: "https://a.example/d", Token: "https://a.example/t"}
	for _, test := range []struct {
		name     string
		provider func(*provider.Provider)
		metadata map[string]any // changes; nil removes
		want     func(*provider.Resolved)
	}{
		{"discovered", nil, nil, nil},
		{"a configured endpoint wins", func(p *provider.Provider) { p.Endpoints.Token = "https://a.example/t" }, nil,
			func(r *provider.Resolved) { r.Endpoints.Token = "https://a.example/t" }},
		{"configured endpoints win, the rest is discovered", func(p *provider.Provider) {
			p.Endpoints.DeviceAuthorization, p.Endpoints.Revocation = "https://a.example/d", "https://a.example/r"
		}, nil, func(r *provider.Resolved) {
			r.Endpoints.DeviceAuthorization, r.Endpoints.Revocation = "https://a.example/d", "https://a.example/r"
		}},
		{"configured where the issuer publishes none", func(p *provider.Provider) { p.Endpoints.DeviceAuthorization = "https://a.example/d" },
			map[string]any{"device_authorization_endpoint": nil},
			func(r *provider.Resolved) { r.Endpoints.DeviceAuthorization = "https://a.example/d" }},
		{"iss is required if advertised", nil, map[string]any{"authorization_response_iss_parameter_supported": true},
			func(r *provider.Resolved) { r.Endpoints.RequireISS = true }},
		{"no issuer, no discovery", func(p *provider.Provider) { p.Issuer, p.Endpoints = "", explicit }, nil,
			func(r *provider.Resolved) { r.Endpoints = explicit }},

		{"a secret is sent by basic", func(p *provider.Provider) { p.ClientSecretFile = "/s" }, nil,
			func(r *provider.Resolved) { r.AuthStyle = oauth.AuthBasic }},
		{"by post if only that is listed", func(p *provider.Provider) { p.ClientSecretFile = "/s" },
			map[string]any{"token_endpoint_auth_methods_supported": []string{"none", "client_secret_post"}},
			func(r *provider.Resolved) { r.AuthStyle = oauth.AuthPost }},
		{"by basic if both are listed", func(p *provider.Provider) { p.ClientSecretFile = "/s" },
			map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"}},
			func(r *provider.Resolved) { r.AuthStyle = oauth.AuthBasic }},
		{"by basic if neither is listed", func(p *provider.Provider) { p.ClientSecretFile = "/s" },
			map[string]any{"token_endpoint_auth_methods_supported": []string{"private_key_jwt"}},
			func(r *provider.Resolved) { r.AuthStyle = oauth.AuthBasic }},
		{"as configured, whatever is listed", func(p *provider.Provider) { p.ClientSecretFile, p.AuthStyle = "/s", oauth.AuthBasic },
			map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}},
			func(r *provider.Resolved) { r.AuthStyle = oauth.AuthBasic }},
		{"a public client, whatever is listed", nil,
			map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, p := newIDP(), byIssuer()
			if test.provider != nil {
				test.provider(&p)
			}
			for k, v := range test.metadata {
				s.metadata[k] = v
				if v == nil {
					delete(s.metadata, k)
				}
			}
			want := provider.Resolved{Endpoints: discovered(), AuthStyle: oauth.AuthNone}
			if test.want != nil {
				test.want(&want)
			}
			got, err := s.resolver().Resolve(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n := s.took(); (n > 0) != (p.Issuer != "") {
				t.Errorf("got %d requests", n)
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	sufficient := func(p *provider.Provider) {
		p.Endpoints.DeviceAuthorization, p.Endpoints.Token = "https://a.example/d", "https://a.example/t"
	}
	for _, test := range []struct {
		name     string
		idp      func(*idp)
		provider func(*provider.Provider)
		check    func(error) bool
	}{
		{"no endpoint published where a login begins", func(s *idp) {
			delete(s.metadata, "device_authorization_endpoint")
			delete(s.metadata, "authorization_endpoint")
		}, nil, func(err error) bool { return errors.Is(err, provider.ErrNoLoginEndpoint) }},
		{"another issuer", func(s *idp) { s.metadata["issuer"] = issuer + "/" }, nil,
			func(err error) bool { return errors.Is(err, oauth.ErrIssuer) }},
		{"another issuer, though the endpoints are configured", func(s *idp) { s.metadata["issuer"] = "https://evil.example" }, sufficient,
			func(err error) bool { return errors.Is(err, oauth.ErrIssuer) }},
		{"http endpoint published", func(s *idp) { s.metadata["token_endpoint"] = "http://id.example.com/token" }, nil,
			func(err error) bool { return strings.Contains(err.Error(), "https") }},
		{"not found", func(s *idp) { s.status = 404 }, nil,
			func(err error) bool { return strings.Contains(err.Error(), "404") }},
		{"unreachable", func(s *idp) { s.broken = true }, nil,
			func(err error) bool {
				e, ok := errors.AsType[*oauth.Error](err)
				return ok && e.Kind == oauth.KindNetwork
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, p := newIDP(), byIssuer()
			test.idp(s)
			if test.provider != nil {
				test.provider(&p)
			}
			got, err := s.resolver().Resolve(t.Context(), p)
			if err == nil || !test.check(err) || !strings.Contains(err.Error(), "provider mine") {
				t.Errorf("got %+v, %v", got, err)
			}
			if diff := cmp.Diff(provider.Resolved{}, got); diff != "" {
				t.Errorf("got something beside the error:\n%s", diff)
			}
		})
	}
}

// TestResolveForOneMethod: an endpoint where one kind of login begins will do.
func TestResolveForOneMethod(t *testing.T) {
	for _, missing := range []string{"device_authorization_endpoint", "authorization_endpoint"} {
		s := newIDP()
		delete(s.metadata, missing)
		got, err := s.resolver().Resolve(t.Context(), byIssuer())
		if err != nil || (got.Endpoints.DeviceAuthorization == "") == (got.Endpoints.Authorization == "") {
			t.Errorf("without %s: %+v, %v", missing, got.Endpoints, err)
		}
	}
}

// TestResolveWithConfiguredEndpoints: discovery that fails does not stop a login
// that can do without.
func TestResolveWithConfiguredEndpoints(t *testing.T) {
	for _, spoil := range []func(*idp){
		func(s *idp) { s.status = 404 },
		func(s *idp) { s.broken = true },
	} {
		s, p := newIDP(), byIssuer()
		spoil(s)
		p.Endpoints.DeviceAuthorization, p.Endpoints.Token = "https://a.example/d", "https://a.example/t"
		got, err := s.resolver().Resolve(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if got.Endpoints != p.Endpoints || got.AuthStyle != oauth.AuthNone {
			t.Errorf("got %+v, want the configured endpoints", got)
		}
		if got.Warning == nil || !strings.Contains(got.Warning.Error(), "configured endpoints alone") {
			t.Errorf("warning: got %v", got.Warning)
		}
	}
}

func TestDiscoveryIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIDP()
		r := s.resolver()
		resolve := func() provider.Resolved {
			t.Helper()
			got, err := r.Resolve(t.Context(), byIssuer())
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		resolve()
		s.set(func(s *idp) { s.metadata["token_endpoint"] = issuer + "/token2" })
		time.Sleep(59 * time.Minute)
		if got := resolve(); got.Endpoints.Token != issuer+"/token" || s.took() != 1 {
			t.Errorf("within the hour: got %s", got.Endpoints.Token)
		}
		time.Sleep(2 * time.Minute)
		if got := resolve(); got.Endpoints.Token != issuer+"/token2" || s.took() != 1 {
			t.Errorf("after the hour: got %s", got.Endpoints.Token)
		}
		other := byIssuer()
		other.Issuer = issuer + "/other"
		if _, err := r.Resolve(t.Context(), other); !errors.Is(err, oauth.ErrIssuer) {
			t.Errorf("another issuer: got %v", err)
		}
	})
}

func TestDiscoveryFailureIsNotRemembered(t *testing.T) {
	s := newIDP()
	r := s.resolver()
	s.set(func(s *idp) { s.broken = true })
	if _, err := r.Resolve(t.Context(), byIssuer()); err == nil {
		t.Error("got no error")
	}
	s.set(func(s *idp) { s.broken = false })
	got, err := r.Resolve(t.Context(), byIssuer())
	if err != nil || got.Endpoints != discovered() || got.Warning != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestStaleDiscovery(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*idp)
		after time.Duration
		want  bool
	}{
		{"connection refused", func(s *idp) { s.broken = true }, 2 * time.Hour, true},
		{"fault", func(s *idp) { s.status = 503 }, 2 * time.Hour, true},
		{"too many requests", func(s *idp) { s.status = 429 }, 2 * time.Hour, true},
		{"no answer", func(s *idp) { s.delay = time.Hour }, 2 * time.Hour, true},
		{"nearly a day later", func(s *idp) { s.broken = true }, 24*time.Hour - time.Minute, true},
		{"more than a day later", func(s *idp) { s.broken = true }, 24*time.Hour + time.Minute, false},
		{"gone", func(s *idp) { s.status = 404 }, 2 * time.Hour, false},
		{"another issuer", func(s *idp) { s.metadata["issuer"] = "https://evil.example" }, 2 * time.Hour, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newIDP()
				r := s.resolver()
				if _, err := r.Resolve(t.Context(), byIssuer()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(test.after)
				s.set(test.spoil)
				for range 2 { // using it does not make it younger or older
					got, err := r.Resolve(t.Context(), byIssuer())
					if !test.want {
						if err == nil {
							t.Errorf("got %+v, want an error", got)
						}
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					if got.Endpoints != discovered() {
						t.Errorf("got %+v", got.Endpoints)
					}
					if got.Warning == nil || !strings.Contains(got.Warning.Error(), "ago") {
						t.Errorf("warning: got %v", got.Warning)
					}
				}
			})
		})
	}
}

func TestDiscoveryIsShared(t *testing.T) {
	for _, broken := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newIDP()
			s.delay, s.broken = time.Second, broken
			r := s.resolver()
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if _, err := r.Resolve(t.Context(), byIssuer()); (err != nil) != broken {
						t.Errorf("broken %v: got %v", broken, err)
					}
				})
			}
			wg.Wait()
			if n := s.took(); n != 1 {
				t.Errorf("broken %v: got %d requests, want 1", broken, n)
			}
		})
	}
}

// TestDiscoveryOutlivesACaller: one caller's end is its own, both for who asks
// and for who waits.
func TestDiscoveryOutlivesACaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIDP()
		s.delay = time.Minute
		r := s.resolver()
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := r.Resolve(hasty, byIssuer()); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("asking: got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if _, err := r.Resolve(hasty, byIssuer()); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waiting: got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			s.set(func(s *idp) { s.delay = 0 })
			if _, err := r.Resolve(t.Context(), byIssuer()); err != nil {
				t.Errorf("patient: got %v", err)
			}
			if d := time.Since(start); d != time.Second {
				t.Errorf("the patient one waited %v, want 1s", d)
			}
		})
		wg.Wait()
	})
}

// TestResolveOverHTTP is discovery through real sockets and the default client.
func TestResolveOverHTTP(t *testing.T) {
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/.well-known/openid-configuration" {
			http.NotFound(w, req)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(map[string]string{
			"issuer":                        server.URL,
			"device_authorization_endpoint": server.URL + "/device",
			"token_endpoint":                server.URL + "/token",
		}); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()

	c, _ := open(t, map[string]string{"mine.toml": "client_id = 'x'\nissuer = '" + server.URL + "'\n"})
	var r provider.Resolver
	got, err := r.Resolve(t.Context(), lookup(t, c, "mine"))
	if err != nil {
		t.Fatal(err)
	}
	want := provider.Resolved{
		Endpoints: oauth.Endpoints{Issuer: server.URL, DeviceAuthorization: server.URL + "/device", Token: server.URL + "/token"},
		AuthStyle: oauth.AuthNone,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
