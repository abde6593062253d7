package broker_test

import (
	"testing"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/sandbox"
)

// A token that a server refused is renewed once, for all who tell of it. Nothing
// else renews it, since the provider tells no end of it.
func TestRejectedTokenIsRenewed(t *testing.T) {
	endless := sandbox.Faults{{Endpoint: "token", Do: sandbox.Action{Remove: []string{"expires_in"}}}}
	inWorld(t, sandbox.Config{Faults: endless}, func(t *testing.T, w *world) {
		b := w.broker()
		w.login(b, "sandbox")
		token := func(rejected string, refreshes int) string {
			t.Helper()
			got, err := b.Token(t.Context(), api.TokenRequest{Key: "sandbox", Rejected: rejected})
			if err != nil {
				t.Fatal(err)
			}
			if n := w.as.Record().RefreshRequests; n != refreshes {
				t.Errorf("%d refreshes, want %d", n, refreshes)
			}
			return got.AccessToken
		}
		first := token("", 0)
		if token("another", 0) != first {
			t.Error("another one's token was renewed")
		}
		second := token(first, 1)
		if second == first {
			t.Error("the token that was refused came back")
		}
		if token(first, 1) != second {
			t.Error("a token that is replaced already was renewed again")
		}
		if _, err := b.Token(t.Context(), api.TokenRequest{Key: "sandbox/work", Rejected: first}); code(err) != api.CodeLoginNeeded {
			t.Errorf("of a key without a login: %v", err)
		}
	})
}
