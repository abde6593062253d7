package sandbox_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/sandbox"
)

func TestStrictReuseRevokesFamily(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	first, bystander := g.login(), g.login()
	a := g.renew(first["refresh_token"])
	if a.Status != 200 {
		t.Fatalf("refresh: %d %s", a.Status, a.Body)
	}
	second := a.json(t)
	if second["refresh_token"] == first["refresh_token"] || second["access_token"] == first["access_token"] {
		t.Error("the refresh renewed nothing")
	}
	wantError(t, g.renew(first["refresh_token"]), 400, "invalid_grant")
	wantError(t, g.renew(second["refresh_token"]), 400, "invalid_grant")
	for _, tokens := range []map[string]any{first, second} {
		wantError(t, g.resource(tokens["access_token"]), 401, "invalid_token")
	}
	if a := g.resource(bystander["access_token"]); a.Status != 200 {
		t.Errorf("another login's token: %d %s", a.Status, a.Body)
	}
	r := g.Record()
	if r.RefreshRequests != 3 || r.RefreshesGranted != 1 || r.ReuseSeen != 1 || r.FamiliesRevoked != 1 || r.Overlap != 1 {
		t.Errorf("record = %+v", r)
	}
	if last := r.Requests[len(r.Requests)-5]; !last.Reuse || last.Outcome != "invalid_grant" {
		t.Errorf("request of the reuse = %+v", last)
	}
}

func TestGraceRepeatsTheSameSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, sandbox.Config{Rotation: sandbox.RotationGrace, GracePeriod: 30 * time.Second})
		first := g.login()
		second := g.renew(first["refresh_token"]).json(t)
		time.Sleep(29 * time.Second)
		again := g.renew(first["refresh_token"]).json(t)
		if again["refresh_token"] != second["refresh_token"] {
			t.Error("the grace period did not answer with the same successor")
		}
		if a := g.resource(again["access_token"]); a.Status != 200 {
			t.Errorf("token of the repeated refresh: %d", a.Status)
		}
		time.Sleep(time.Second)
		wantError(t, g.renew(first["refresh_token"]), 400, "invalid_grant")
		wantError(t, g.renew(second["refresh_token"]), 400, "invalid_grant")
		if r := g.Record(); r.ReuseSeen != 1 || r.RefreshesGranted != 2 {
			t.Errorf("record = %+v", r)
		}
	})
}

func TestGraceEndsWhenTheSuccessorIsUsed(t *testing.T) {
	g := newRig(t, sandbox.Config{Rotation: sandbox.RotationGrace})
	first := g.login()
	second := g.renew(first["refresh_token"]).json(t)
	third := g.renew(second["refresh_token"]).json(t)
	wantError(t, g.renew(first["refresh_token"]), 400, "invalid_grant")
	wantError(t, g.renew(third["refresh_token"]), 400, "invalid_grant")
}

func TestRotationNoneKeepsTheToken(t *testing.T) {
	g := newRig(t, sandbox.Config{Rotation: sandbox.RotationNone})
	tokens := g.login()
	for range 3 {
		a := g.renew(tokens["refresh_token"])
		if _, ok := a.json(t)["refresh_token"]; a.Status != 200 || ok {
			t.Errorf("refresh: %d %s", a.Status, a.Body)
		}
	}
	if r := g.Record(); r.ReuseSeen != 0 || r.RefreshesGranted != 3 {
		t.Errorf("record = %+v", r)
	}
}

func TestRefreshIsChecked(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	tokens := g.login()
	refresh := func(pairs ...string) reply {
		v := form("grant_type", "refresh_token", "client_id", "cli", "refresh_token", tokens["refresh_token"].(string))
		for name, values := range form(pairs...) {
			v[name] = values
		}
		return g.post(g.TokenURL(), v)
	}
	wantError(t, refresh("client_id", "other"), 400, "invalid_grant")
	wantError(t, refresh("refresh_token", ""), 400, "invalid_request")
	wantError(t, refresh("refresh_token", "nope"), 400, "invalid_grant")
	wantError(t, refresh("scope", "openid admin"), 400, "invalid_scope")
	wantError(t, refresh("grant_type", ""), 400, "invalid_request")
	wantError(t, refresh("grant_type", "password"), 400, "unsupported_grant_type")
	a := refresh("scope", "email")
	if got := a.json(t)["scope"]; a.Status != 200 || got != "email" {
		t.Errorf("narrowed refresh: %d, scope %v", a.Status, got)
	}
	if a := g.get(g.URL("/userinfo"), "Authorization", "Bearer "+a.json(t)["access_token"].(string)); a.Status != 403 {
		t.Errorf("userinfo without openid: %d", a.Status)
	}
}

func TestConcurrentRefreshesOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, sandbox.Config{Faults: sandbox.Faults{{Endpoint: "token.refresh", Do: sandbox.Action{DelayMS: 1000}}}})
		tokens := g.login()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { g.renew(tokens["refresh_token"]) })
		}
		all.Wait()
		r := g.Record()
		if r.Overlap != 5 || r.RefreshesGranted != 1 || r.ReuseSeen != 4 || r.FamiliesRevoked != 1 {
			t.Errorf("record = %+v", r)
		}
		g.ResetRecord()
		g.renew(tokens["refresh_token"])
		if got := g.Record().Overlap; got != 1 {
			t.Errorf("overlap of a single refresh = %d", got)
		}
	})
}

func TestRevocation(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	revoke := func(token any, pairs ...string) reply {
		return g.post(g.URL("/revoke"), form(append([]string{"client_id", "cli", "token", token.(string)}, pairs...)...))
	}
	tokens := g.login()
	wantError(t, revoke(tokens["refresh_token"], "client_id", "other"), 400, "invalid_grant")
	wantError(t, revoke(""), 400, "invalid_request")
	if a := revoke("unknown"); a.Status != 200 || a.Body != "" {
		t.Errorf("unknown token: %d %q", a.Status, a.Body)
	}
	if a := revoke(tokens["access_token"], "token_type_hint", "refresh_token"); a.Status != 200 {
		t.Errorf("access token: %d", a.Status)
	}
	wantError(t, g.resource(tokens["access_token"]), 401, "invalid_token")
	renewed := g.renew(tokens["refresh_token"]).json(t)
	if a := revoke(renewed["refresh_token"]); a.Status != 200 {
		t.Errorf("refresh token: %d", a.Status)
	}
	wantError(t, g.resource(renewed["access_token"]), 401, "invalid_token")
	wantError(t, g.renew(renewed["refresh_token"]), 400, "invalid_grant")
	r := g.Record()
	if r.Revocations != 2 || r.FamiliesRevoked != 1 || r.Count("revoke") != 5 || r.ReuseSeen != 0 {
		t.Errorf("record = %+v", r)
	}
}

func TestResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, sandbox.Config{TokenLifetime: time.Minute, Subject: "alice"})
		tokens := g.login()
		if got, want := g.resource(tokens["access_token"]).Body, `{"sub":"alice","scope":"openid email","client_id":"cli"}`; got != want {
			t.Errorf("resource = %s, want %s", got, want)
		}
		if got, want := g.get(g.URL("/userinfo"), "Authorization", "bearer "+tokens["access_token"].(string)).Body,
			`{"email":"alice@sandbox.invalid","email_verified":true,"sub":"alice"}`; got != want {
			t.Errorf("userinfo = %s, want %s", got, want)
		}
		bare := g.get(g.URL("/resource") + "?access_token=" + tokens["access_token"].(string))
		if got := bare.Header.Get("WWW-Authenticate"); bare.Status != 401 || got != `Bearer realm="sandbox"` {
			t.Errorf("token in the query: %d %q", bare.Status, got)
		}
		time.Sleep(time.Minute)
		late := g.resource(tokens["access_token"])
		if got := late.Header.Get("WWW-Authenticate"); late.Status != 401 || !strings.Contains(got, `error="invalid_token"`) {
			t.Errorf("expired token: %d %q", late.Status, got)
		}
	})
}

// TestManyAtOnce is for the race detector: everything at the same time.
func TestManyAtOnce(t *testing.T) {
	g := newRig(t, sandbox.Config{Approve: sandbox.ApproveAuto, AutoAfterPolls: -1})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			tokens := g.poll(g.start()).json(t)
			renewed := g.renew(tokens["refresh_token"])
			if renewed.Status != http.StatusOK {
				t.Errorf("refresh: %d %s", renewed.Status, renewed.Body)
			}
			g.resource(tokens["access_token"])
			g.Record()
			g.RecordWithSecrets()
			if err := g.SetFaults(nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	r := g.Record()
	if r.DeviceAuthorizations != 20 || r.RefreshesGranted != 20 || r.ReuseSeen != 0 || r.Overlap != 1 || r.Count("*") != 80 {
		t.Errorf("record counts = %+v", r.Counts)
	}
}
