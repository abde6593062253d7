package broker_test

import (
	"errors"
	"net/url"
	"slices"
	"testing"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/sandbox"
	"github.com/usherauth/usher/secret"
)

// What a login left behind that another one overtook is revoked by a logout,
// since the removal leaves nothing of it.
func TestLogoutRevokesWhatWasLeftBehind(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults sandbox.Faults
		failed bool
	}{
		{"", nil, false},
		{"provider in trouble", sandbox.Faults{{Endpoint: "revoke", Calls: []int{1}, Do: sandbox.Action{Status: 500}}}, true},
	} {
		inWorld(t, sandbox.Config{Faults: tt.faults}, func(t *testing.T, w *world) {
			b := w.broker()
			w.login(b, "sandbox")
			held, err := w.store.BeginRotation(t.Context(), credential.Key{Provider: "sandbox", Account: "default"}, 0)
			if err != nil {
				t.Fatal(err)
			}
			w.login(b, "sandbox")
			won := held.Record()
			won.RefreshToken = secret.New("left-behind")
			if _, err := held.Commit(t.Context(), won); !errors.Is(err, credential.ErrSuperseded) {
				t.Fatal(err)
			}
			if err := held.Release(false); err != nil {
				t.Fatal(err)
			}
			out, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"})
			if err != nil || !out.Removed || out.Revocation != api.RevocationRevoked {
				t.Errorf("%s: Logout = %+v, %v", tt.name, out, err)
			}
			if (out.Error != nil) != tt.failed || tt.failed && out.Error.Code != api.CodeRevocationLost {
				t.Errorf("%s: Logout tells %+v", tt.name, out.Error)
			}
			var revoked []string
			for _, r := range w.as.RecordWithSecrets().Requests {
				if r.Endpoint == "revoke" {
					form, err := url.ParseQuery(string(r.Raw.Body))
					if err != nil {
						t.Fatal(err)
					}
					revoked = append(revoked, form.Get("token"))
				}
			}
			if !slices.Contains(revoked, "left-behind") || len(revoked) != 3 {
				t.Errorf("%s: revoked %d tokens, want three with the one left behind", tt.name, len(revoked))
			}
			if left, err := w.store.Orphans(t.Context()); err != nil || len(left) != 0 {
				t.Errorf("%s: %d tokens left, %v", tt.name, len(left), err)
			}
		})
	}
}
