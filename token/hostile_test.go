package token_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/memstore"
	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/oauthtest"
	"github.com/usherauth/usher/token"
)

// Whatever a server answers to a refresh, the stored credential is what it was
// or holds a token that works.
func TestHostileRefreshAnswers(t *testing.T) {
	cases := 0
	for _, c := range oauthtest.Cases(t) {
		if c.Refresh == nil {
			continue
		}
		cases++
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { hostileRefresh(t, c) })
		})
	}
	if cases < 100 {
		t.Errorf("%d cases are about refresh, want 100 at least", cases)
	}
}

func hostileRefresh(t *testing.T, c oauthtest.Case) {
	network := memhttp.NewNetwork()
	var seen, salvaged atomic.Int64
	hostile := oauthtest.Handler(c)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		hostile.ServeHTTP(w, r)
	})}
	go server.Serve(network)
	defer func() {
		server.Close()
		time.Sleep(time.Second) // in the bubble: a dripping answer notices at its next drop
	}()
	client := oauth.NewHTTPClient()
	client.Transport.(*http.Transport).DialContext = network.DialContext

	store := memstore.New()
	store.Intercept(func(op string, _ credential.Key) error {
		if op == "Salvage" {
			salvaged.Add(1)
		}
		return nil
	})
	clock := newClock()
	before := seed(t, store, credential.Credential{
		Key: key, Kind: credential.Refreshable, State: credential.Active,
		Binding: credential.Binding{
			Endpoints: oauth.Endpoints{Token: "http://127.0.0.1/token"},
			ClientID:  "client", AuthStyle: oauth.AuthNone, Dialect: oauth.DialectStandard,
		},
		AccessToken: hide("old-at"), RefreshToken: hide("old-rt"), TokenType: "Bearer",
		Received: clock.Now(), Lifetime: time.Hour,
	})
	m := token.NewManager(token.Config{Store: store, HTTP: client, Clock: clock})
	defer m.Close(context.Background())

	time.Sleep(time.Hour)
	got, err := m.Token(t.Context(), key, 0)
	after, storeErr := store.Get(t.Context(), key)
	if storeErr != nil {
		t.Fatal(storeErr)
	}

	want := c.Refresh
	if n := int(seen.Load()); n != want.Attempts {
		t.Errorf("%s: server saw %d requests, want %d", c.Row, n, want.Attempts)
	}
	switch {
	case want.OK && (err != nil || got.AccessToken.Reveal() != "at-1"):
		t.Errorf("%s: Token = %q, %v, want at-1", c.Row, got.AccessToken.Reveal(), err)
	case !want.OK && err == nil:
		t.Errorf("%s: Token = %q, want an error", c.Row, got.AccessToken.Reveal())
	}

	refused := want.Code == oauth.ErrorInvalidGrant
	if _, needed := errors.AsType[*token.LoginNeededError](err); needed != refused {
		t.Errorf("%s: Token = %v; login needed: %v, want %v", c.Row, err, needed, refused)
	}
	switch want.Credential {
	case oauthtest.Salvaged:
		if after.AccessToken.Reveal() != "at-1" || after.State != credential.Active || after.Generation != before.Generation+1 {
			t.Errorf("%s: stored %+v, want the answer's token", c.Row, after)
		}
	case oauthtest.Identical, oauthtest.Rejected:
		expect := before
		if refused {
			expect.State, expect.Cause = credential.NeedsLogin, credential.CauseRefused
			expect.Generation++
		}
		if !after.Equal(expect) {
			t.Errorf("%s: stored %+v, want %+v", c.Row, after, expect)
		}
		if want.Credential == oauthtest.Rejected && salvaged.Load() == 0 {
			t.Errorf("%s: the raw answer was not kept", c.Row)
		}
	default:
		t.Errorf("%s: no expectation of the credential", c.Row)
	}
}
