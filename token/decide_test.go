package token

import (
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

func TestDecide(t *testing.T) {
	const m, s = time.Minute, time.Second
	base := credential.Credential{
		State: credential.Active, AccessToken: secret.New("at"), RefreshToken: secret.New("rt"),
		Received: received, Lifetime: time.Hour,
	}
	with := func(change func(*credential.Credential)) credential.Credential {
		c := base
		change(&c)
		return c
	}
	refused := with(func(c *credential.Credential) { c.State, c.Cause = credential.NeedsLogin, credential.CauseRefused })
	changed := with(func(c *credential.Credential) {
		c.State, c.Cause = credential.NeedsLogin, credential.CauseProviderChanged
	})
	bare := with(func(c *credential.Credential) { c.RefreshToken = secret.String{} })
	eternal := with(func(c *credential.Credential) { c.Lifetime = 0 })
	recovered := with(func(c *credential.Credential) { c.HoldOffUntil = received.Wall.Add(30 * s) })

	for _, tt := range []struct {
		name    string
		cred    credential.Credential
		passed  time.Duration
		minTTL  time.Duration
		canMint bool
		want    decision
	}{
		{"fresh", base, 10 * m, 0, false, decision{verdict: serve, usable: true}},
		{"last moment before it is due", base, 55*m - s, 0, false, decision{verdict: serve, usable: true}},
		{"due", base, 55 * m, 0, false, decision{verdict: serveAndRenew, usable: true}},
		{"last usable moment", base, 59*m + 29*s, 0, false, decision{verdict: serveAndRenew, usable: true}},
		{"in its last seconds", base, 59*m + 30*s, 0, false, decision{verdict: renew}},
		{"ended", base, 61 * m, 0, false, decision{verdict: renew}},
		{"enough for the reader", base, 10 * m, 49 * m, false, decision{verdict: serve, usable: true}},
		{"too little for the reader", base, 10 * m, 50 * m, false, decision{verdict: renew, usable: true}},
		{"more than any token has", base, 29 * s, 100 * m, false, decision{verdict: serve, usable: true}},
		{"more than any token has, and it is time", base, 31 * s, 100 * m, false, decision{verdict: renew, usable: true}},
		{"too soon after the last rotation", base, 20 * s, 59*m + 45*s, false, decision{verdict: serve, usable: true}},

		{"refused and alive", refused, 56 * m, 0, false, decision{verdict: serve, usable: true, cause: credential.CauseRefused}},
		{"refused and asked for more", refused, 10 * m, 55 * m, false, decision{verdict: serve, usable: true, cause: credential.CauseRefused}},
		{"refused and ended", refused, 60 * m, 0, false, decision{verdict: login, cause: credential.CauseRefused}},
		{"provider changed and ended: it may have changed back", changed, 60 * m, 0, false, decision{verdict: renew}},
		{"nothing to renew with, alive", bare, 56 * m, 0, false, decision{verdict: serve, usable: true, cause: credential.CauseNoRefreshToken}},
		{"nothing to renew with, ended", bare, 60 * m, 0, false, decision{verdict: login, cause: credential.CauseNoRefreshToken}},
		{"minted, ended", bare, 60 * m, 0, true, decision{verdict: renew}},
		{"without an end", eternal, 1e6 * time.Hour, 5 * m, false, decision{verdict: serve, usable: true}},
		{"held off", recovered, 25 * s, 59*m + 40*s, false, decision{verdict: serve, usable: true}},
		{"hold-off over", recovered, 56 * m, 0, false, decision{verdict: serveAndRenew, usable: true}},
	} {
		if got := decide(tt.cred, later(tt.passed, tt.passed, "a"), tt.minTTL, tt.canMint); got != tt.want {
			t.Errorf("%s: decide = %+v, want %+v", tt.name, got, tt.want)
		}
	}

	// A wall clock set forward right after a rotation: due by one clock, and not
	// spaced by the other.
	got := decide(base, later(56*m, 10*s, "a"), 0, false)
	if want := (decision{verdict: serve, usable: true}); got != want {
		t.Errorf("doubtfully due: decide = %+v, want %+v", got, want)
	}
	// A wall clock set forward right after a recovery: not usable, and still
	// no second rotation beside a request that may be travelling.
	got = decide(recovered, later(48*time.Hour, 10*s, "a"), 0, false)
	if want := (decision{verdict: hold, wait: 20 * s}); got != want {
		t.Errorf("held off and doubtful: decide = %+v, want %+v", got, want)
	}
}
