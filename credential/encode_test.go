package credential_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

func fullCredential() credential.Credential {
	at := time.Date(2026, 11, 21, 12, 0, 0, 5, time.UTC)
	return credential.Credential{
		Key:  credential.Key{Provider: "github", Account: "work"},
		Kind: credential.Refreshable,
		Binding: credential.Binding{
			Endpoints: oauth.Endpoints{
				Issuer: "https://as.test", DeviceAuthorization: "https://as.test/device", Authorization: "https://as.test/authorize",
				Token: "https://as.test/token", Revocation: "https://as.test/revoke", Userinfo: "https://as.test/userinfo", RequireISS: true,
			},
			ClientID: "cli", AuthStyle: oauth.AuthBasic, Dialect: oauth.DialectQwen, Resource: "https://api.test/",
		},
		Grant: "g-1", Generation: 7, State: credential.NeedsLogin, Cause: credential.CauseRefused,
		AccessToken: secret.New("at"), RefreshToken: secret.New("rt"), IDToken: secret.New("a.b.c"), TokenType: "Bearer",
		Scopes: []string{"openid", "email"}, ResourceURL: "portal.test", Extra: secret.New(`{"x":1}`), Alias: "acct-abc123",
		Received: credential.Instant{Wall: at, Boot: time.Hour, BootID: "boot"}, Lifetime: 90 * time.Second,
		RefreshExpiresAt: at.Add(time.Hour), RefreshedAt: at, HoldOffUntil: at.Add(time.Minute),
		Share: credential.Share{Tool: "qwen", Seen: "abc"}, Unknown: secret.New(`{"later":[1,{"a":null}]}`),
	}
}

// everyFieldSet fails the test when a field of v is zero, so that a field
// added later cannot be forgotten in the round trip.
func everyFieldSet(t *testing.T, v any) {
	t.Helper()
	rv := reflect.ValueOf(v)
	for i := range rv.NumField() {
		if rv.Field(i).IsZero() {
			t.Errorf("%T.%s is not set in this test", v, rv.Type().Field(i).Name)
		}
	}
}

func TestCredentialSurvivesEncoding(t *testing.T) {
	want := fullCredential()
	everyFieldSet(t, want)
	everyFieldSet(t, want.Binding)
	everyFieldSet(t, want.Binding.Endpoints)
	everyFieldSet(t, want.Share)
	data, err := credential.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, tomb, err := credential.Decode(data)
	if err != nil || tomb != nil {
		t.Fatalf("Decode: %v, tombstone %v", err, tomb)
	}
	if !got.Equal(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.AccessToken.Reveal() != "at" || got.Extra.Reveal() != `{"x":1}` {
		t.Error("secrets did not survive")
	}
}

func TestCredentialEqualSeesEveryField(t *testing.T) {
	base := fullCredential()
	rv := reflect.ValueOf(base)
	for i := range rv.NumField() {
		changed := base
		f := reflect.ValueOf(&changed).Elem().Field(i)
		f.SetZero()
		if base.Equal(changed) {
			t.Errorf("Equal does not see %s", rv.Type().Field(i).Name)
		}
	}
}

func TestTombstoneSurvivesEncoding(t *testing.T) {
	want := credential.Tombstone{Key: credential.Key{Provider: "p", Account: "a"}, Grant: "g", Generation: 9}
	data, err := credential.EncodeTombstone(want)
	if err != nil {
		t.Fatal(err)
	}
	c, got, err := credential.Decode(data)
	if err != nil || c != nil || *got != want {
		t.Errorf("Decode = %v, %v, %v", c, got, err)
	}
}

func TestDecodeErrorsNeverQuoteContent(t *testing.T) {
	for _, in := range []string{
		`{"v":1,"provider":"p","account":"a","generation":1,"access_token":"CANARY`,
		`{"v":1,"provider":"CANARY!","account":"a","access_token":12}`,
		`{"v":1,"generation":"CANARY"}`,
		`CANARY`,
	} {
		if _, _, err := credential.Decode([]byte(in)); err == nil || strings.Contains(err.Error(), "CANARY\"") || strings.Contains(err.Error(), "access_token") {
			t.Errorf("Decode(%q) error = %v", in, err)
		}
		if _, err := credential.DecodeLogin([]byte(in)); err == nil {
			t.Errorf("DecodeLogin(%q) succeeded", in)
		}
	}
}

func FuzzDecode(f *testing.F) {
	data, err := credential.Encode(fullCredential())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, tomb, err := credential.Decode(data)
		if n := btoi(c != nil) + btoi(tomb != nil) + btoi(err != nil); n != 1 {
			t.Errorf("Decode set %d results", n)
		}
		if c != nil {
			if again, err := credential.Encode(*c); err != nil {
				t.Errorf("re-encoding: %v", err)
			} else if c2, _, err := credential.Decode(again); err != nil || !c2.Equal(*c) {
				t.Errorf("round trip differs: %v", err)
			}
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
