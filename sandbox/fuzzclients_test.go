package sandbox_test

import (
	"testing"

	"github.com/usherauth/usher/sandbox"
)

// FuzzParseClients: what is accepted makes a server; nothing panics.
func FuzzParseClients(f *testing.F) {
	f.Add([]byte(`[{"id":"a","secret":"s","auth_style":"basic","redirect_uris":["http://127.0.0.1/"],"scopes":["openid"]}]`))
	f.Add([]byte(`[]`))
	f.Add([]byte(`{"id":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		clients, err := sandbox.ParseClients(data)
		if err != nil {
			return
		}
		if _, err := sandbox.New(sandbox.Config{Issuer: issuer, Clients: clients}); err != nil {
			t.Errorf("parsed clients make no server: %v", err)
		}
	})
}
