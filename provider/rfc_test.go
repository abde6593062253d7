package provider_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/sandbox"
)

// What ships with the program everybody can read: the catalogue holds no
// secret, and no provider of it needs one.
func TestRFC8252_29_CatalogueHoldsAndNeedsNoSecret(t *testing.T) {
	text, err := os.ReadFile("catalog.toml")
	if err != nil {
		t.Fatal(err)
	}
	var tables map[string]map[string]any
	if err := toml.Unmarshal(text, &tables); err != nil {
		t.Fatal(err)
	}
	if len(tables) != len(presetNames) {
		t.Fatalf("the catalogue has %d providers, want %d", len(tables), len(presetNames))
	}
	for name, table := range tables {
		for key := range table {
			if strings.Contains(key, "secret") || strings.Contains(key, "password") || key == "auth_style" {
				t.Errorf("%s has %s", name, key)
			}
		}
	}

	as, err := sandbox.New(sandbox.Config{Issuer: "http://127.0.0.1:9400"})
	if err != nil {
		t.Fatal(err)
	}
	r := &provider.Resolver{HTTP: &http.Client{Transport: &memhttp.Transport{Handler: as}}}
	c, _ := open(t, map[string]string{"github.toml": `client_id = "my-own"`})
	for _, name := range presetNames {
		p := lookup(t, c, name)
		if err := p.Check(); err != nil {
			t.Errorf("%s: not ready without a secret: %v", name, err)
		}
		at, err := r.Resolve(t.Context(), p)
		if err != nil || at.AuthStyle != oauth.AuthNone {
			t.Errorf("%s: auth style %q, %v, want none", name, at.AuthStyle, err)
		}
		if sec, err := p.ClientSecret(); err != nil || !sec.IsZero() {
			t.Errorf("%s: has a secret: %t, %v", name, !sec.IsZero(), err)
		}
	}
}
