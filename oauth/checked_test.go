package oauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

func TestCheckedDeviceAuthorization(t *testing.T) {
	fit := oauth.DeviceAuthorization{
		DeviceCode: secret.New("dc"), CodeVerifier: secret.New("v"), UserCode: "ABCD-1234", VerificationURI: "https://as.test/d",
		VerificationURIComplete: "https://as.test/d?user_code=ABCD-1234", ExpiresIn: 10 * time.Minute, Interval: 7 * time.Second,
	}
	tests := map[string]struct {
		change func(a *oauth.DeviceAuthorization)
		want   func(a *oauth.DeviceAuthorization) // nil for an error
	}{
		"fit":            {func(*oauth.DeviceAuthorization) {}, func(*oauth.DeviceAuthorization) {}},
		"no times":       {func(a *oauth.DeviceAuthorization) { a.ExpiresIn, a.Interval = 0, -1 }, func(a *oauth.DeviceAuthorization) { a.ExpiresIn, a.Interval = 15*time.Minute, 5*time.Second }},
		"long times":     {func(a *oauth.DeviceAuthorization) { a.ExpiresIn, a.Interval = 1<<62, 1<<62 }, func(a *oauth.DeviceAuthorization) { a.ExpiresIn, a.Interval = time.Hour, 300*time.Second }},
		"short interval": {func(a *oauth.DeviceAuthorization) { a.Interval = 1 }, func(a *oauth.DeviceAuthorization) { a.Interval = time.Second }},
		"warnings":       {func(a *oauth.DeviceAuthorization) { a.Warnings = []string{"sk-1"} }, func(*oauth.DeviceAuthorization) {}},
		"complete elsewhere": {func(a *oauth.DeviceAuthorization) {
			a.VerificationURIComplete = "https://evil.test/d?user_code=ABCD-1234"
		}, func(a *oauth.DeviceAuthorization) { a.VerificationURIComplete = "" }},
		"complete, other code": {func(a *oauth.DeviceAuthorization) { a.VerificationURIComplete = "https://as.test/d?user_code=EVIL" }, func(a *oauth.DeviceAuthorization) { a.VerificationURIComplete = "" }},
		"complete, no link":    {func(a *oauth.DeviceAuthorization) { a.VerificationURIComplete = "javascript:alert(1)" }, func(a *oauth.DeviceAuthorization) { a.VerificationURIComplete = "" }},
		"escape in the code": {func(a *oauth.DeviceAuthorization) { a.UserCode, a.VerificationURIComplete = "A\x1b[31mB", "" }, func(a *oauth.DeviceAuthorization) {
			a.UserCode, a.VerificationURIComplete = `"A\u{1b}[31mB"`, ""
		}},
		"no code":            {func(a *oauth.DeviceAuthorization) { a.UserCode = "" }, nil},
		"no link":            {func(a *oauth.DeviceAuthorization) { a.VerificationURI = "" }, nil},
		"script for a link":  {func(a *oauth.DeviceAuthorization) { a.VerificationURI = "javascript:sk-1" }, nil},
		"escape in the link": {func(a *oauth.DeviceAuthorization) { a.VerificationURI = "https://as.test/\x1b[2Jsk-1" }, nil},
		"plain http":         {func(a *oauth.DeviceAuthorization) { a.VerificationURI = "http://sk-1.test/" }, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := fit
			tt.change(&a)
			got, err := a.Checked()
			if tt.want == nil {
				if err == nil || strings.Contains(err.Error(), "sk-1") {
					t.Errorf("%+v, error %v", got, err)
				}
				return
			}
			want := fit
			tt.want(&want)
			if diff := cmp.Diff(&want, got, cmp.Comparer(secret.String.Equal)); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestCheckedToken(t *testing.T) {
	fit := oauth.Token{
		AccessToken: secret.New("at"), RefreshToken: secret.New("rt"), Type: "Bearer", Scopes: []string{"a", "b:c"},
		Lifetime: time.Hour, ResourceURL: "https://api.test", Extra: secret.New(`{"x":1}`),
	}
	tests := map[string]struct {
		change func(k *oauth.Token)
		want   func(k *oauth.Token) // nil for an error
	}{
		"fit":             {func(*oauth.Token) {}, func(*oauth.Token) {}},
		"no type":         {func(k *oauth.Token) { k.Type = "" }, func(*oauth.Token) {}},
		"lower case type": {func(k *oauth.Token) { k.Type = "bearer" }, func(*oauth.Token) {}},
		"no scopes":       {func(k *oauth.Token) { k.Scopes = nil }, func(k *oauth.Token) { k.Scopes = nil }},
		"granted nothing": {func(k *oauth.Token) { k.Scopes = []string{} }, func(k *oauth.Token) { k.Scopes = []string{} }},
		"odd scope":       {func(k *oauth.Token) { k.Scopes = []string{"a", "\x1b[31m"} }, func(k *oauth.Token) { k.Scopes = nil }},
		"odd resource":    {func(k *oauth.Token) { k.ResourceURL = "x\ny" }, func(k *oauth.Token) { k.ResourceURL = "" }},
		"odd extra":       {func(k *oauth.Token) { k.Extra = secret.New("[1]") }, func(k *oauth.Token) { k.Extra = secret.String{} }},
		"large extra":     {func(k *oauth.Token) { k.Extra = secret.New(`{"x":"` + strings.Repeat("y", oauth.MaxExtra) + `"}`) }, func(k *oauth.Token) { k.Extra = secret.String{} }},
		"lifetimes":       {func(k *oauth.Token) { k.Lifetime, k.RefreshLifetime = -1, 1<<62 }, func(k *oauth.Token) { k.Lifetime, k.RefreshLifetime = 0, 10*365*24*time.Hour }},
		"warnings":        {func(k *oauth.Token) { k.Warnings = []string{"sk-1"} }, func(*oauth.Token) {}},
		"no token":        {func(k *oauth.Token) { k.AccessToken = secret.String{} }, nil},
		"two lines":       {func(k *oauth.Token) { k.AccessToken = secret.New("sk-1\r\nX: y") }, nil},
		"other type":      {func(k *oauth.Token) { k.Type = "sk-1" }, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k := fit
			tt.change(&k)
			got, err := k.Checked()
			if tt.want == nil {
				if err == nil || strings.Contains(err.Error(), "sk-1") {
					t.Errorf("%+v, error %v", got, err)
				}
				return
			}
			want := fit
			tt.want(&want)
			if diff := cmp.Diff(&want, got, cmp.Comparer(secret.String.Equal)); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
	got, err := fit.Checked()
	if err != nil {
		t.Fatal(err)
	}
	fit.Scopes[0] = "changed"
	if got.Scopes[0] != "a" {
		t.Error("the checked token shares the caller's scopes")
	}
}
