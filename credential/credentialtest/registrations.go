package credentialtest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

func testRegistrations(t *testing.T, f fixture) {
	const issuer, redirects = "https://as.test", "http://127.0.0.1/callback"
	if _, err := f.GetRegistration(f.ctx, issuer, redirects); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("GetRegistration = %v, want ErrNotFound", err)
	}
	const many = 16
	ids := make(chan string, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			id := fmt.Sprint("client-", i)
			stored, err := f.PutRegistration(f.ctx, credential.Registration{
				Issuer: issuer, Redirects: redirects, ClientID: id, ClientSecret: secret.New("cs-" + id),
				RegistrationAccessToken: secret.New("rat-" + id), RegistrationClientURI: issuer + "/register/" + id,
			})
			if err != nil {
				t.Errorf("PutRegistration: %v", err)
			}
			ids <- stored.ClientID
		})
	}
	wg.Wait()
	close(ids)
	got, err := f.GetRegistration(f.ctx, issuer, redirects)
	if err != nil {
		t.Fatal(err)
	}
	for id := range ids {
		if id != got.ClientID {
			t.Errorf("PutRegistration returned %s to somebody, %s is stored", id, got.ClientID)
		}
	}
	if got.Issuer != issuer || got.Redirects != redirects || got.ClientSecret.Reveal() != "cs-"+got.ClientID ||
		got.RegistrationAccessToken.Reveal() != "rat-"+got.ClientID || got.RegistrationClientURI != issuer+"/register/"+got.ClientID {
		t.Errorf("GetRegistration = %+v, want what was put", got)
	}
	for _, other := range [][2]string{{issuer, ""}, {"https://other.test", redirects}, {issuer + "\x00" + redirects, ""}} {
		if _, err := f.GetRegistration(f.ctx, other[0], other[1]); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("GetRegistration(%q) = %v, want ErrNotFound", other, err)
		}
	}
}
