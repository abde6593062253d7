package credential_test

import (
	"encoding/json"
	"testing"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

// What a later version adds must survive a refresh by this one.
func TestUnknownMembersSurvive(t *testing.T) {
	c := fullCredential()
	c.Unknown = secret.String{}
	data, err := credential.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	var stored map[string]any
	if err := json.Unmarshal(data, &stored); err != nil {
		t.Fatal(err)
	}
	stored["later"] = map[string]any{"access_token": "not the credential's"}
	stored["binding"].(map[string]any)["proof_key"] = "k-1"
	later, err := json.Marshal(stored)
	if err != nil {
		t.Fatal(err)
	}

	got, _, err := credential.Decode(later)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"binding":{"proof_key":"k-1"},"later":{"access_token":"not the credential's"}}`; got.Unknown.Reveal() != want {
		t.Errorf("Unknown = %s, want %s", got.Unknown.Reveal(), want)
	}
	got.RefreshToken, got.Generation = secret.New("rt-2"), got.Generation+1
	stored["refresh_token"], stored["generation"] = "rt-2", got.Generation
	want, err := json.Marshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := credential.Encode(*got); err != nil || !sameJSON(t, again, want) {
		t.Errorf("stored again: %v\n%s\nwant\n%s", err, again, want)
	}
}

// encoding/json takes a name that differs in case for the field's: it must not
// be kept beside it, where it would come back in its place.
func TestNamesInAnotherCaseAreNotUnknown(t *testing.T) {
	data := []byte(`{"v":1,"provider":"p","account":"a","generation":1,"Refresh_Token":"old","acce\u017f\u017f_token":"old"}`)
	c, _, err := credential.Decode(data)
	if err != nil || !c.Unknown.IsZero() || c.RefreshToken.Reveal() != "old" || c.AccessToken.Reveal() != "old" {
		t.Errorf("Decode = unknown %q, refresh token %q, access token %q, %v", c.Unknown.Reveal(), c.RefreshToken.Reveal(), c.AccessToken.Reveal(), err)
	}
}

func TestKnownMembersWin(t *testing.T) {
	c := fullCredential()
	c.Unknown = secret.New(`{"access_token":"x","binding":"x","later":1}`)
	data, err := credential.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := credential.Decode(data)
	if err != nil || !got.AccessToken.Equal(c.AccessToken) || got.Binding != c.Binding || got.Unknown.Reveal() != `{"later":1}` {
		t.Errorf("Decode = %+v, %v", got, err)
	}
	for _, broken := range []string{`{`, `[1]`, `"x"`} {
		c.Unknown = secret.New(broken)
		if _, err := credential.Encode(c); err == nil {
			t.Errorf("Encode with Unknown %s succeeded, want an error", broken)
		}
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	form := func(v any) string { text, _ := json.Marshal(v); return string(text) }
	return form(x) == form(y)
}
