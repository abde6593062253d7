package share

import (
	"fmt"
	"io/fs"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

func contents(n string, end time.Time) Contents {
	return Contents{AccessToken: secret.New("access-" + n), RefreshToken: secret.New("refresh-" + n), TokenType: "Bearer", ExpiresAt: end}
}

func TestCompare(t *testing.T) {
	now := time.Now().Round(0)
	end := now.Add(time.Hour)
	c := sample("ours", now)
	c.Share.Seen = Digest(secret.New("refresh-seen"))
	unseen := c
	unseen.Share.Seen = ""
	eternal := c
	eternal.Lifetime = 0
	newer := contents("ours", end.Add(time.Minute))
	newer.AccessToken = secret.New("access-later")
	older := contents("ours", end.Add(-time.Minute))
	older.AccessToken = secret.New("access-earlier")
	invalid := fmt.Errorf("reading: %w", ErrInvalid)
	for name, test := range map[string]struct {
		c     credential.Credential
		found Contents
		err   error
		want  Relation
	}{
		"no file":                                   {c, Contents{}, fs.ErrNotExist, Missing},
		"a file that the tool rejects":              {c, Contents{}, invalid, Missing},
		"a file that could not be read":             {c, Contents{}, fs.ErrPermission, Missing},
		"our token":                                 {c, contents("ours", end), nil, Same},
		"our refresh token, a newer access token":   {c, newer, nil, Theirs},
		"our refresh token, an older access token":  {c, older, nil, Same},
		"our refresh token, nothing known of ends":  {eternal, newer, nil, Same},
		"the token that was seen":                   {c, contents("seen", end), nil, Ours},
		"another token":                             {c, contents("theirs", end), nil, Theirs},
		"another token where none was seen":         {unseen, contents("theirs", end), nil, Theirs},
		"another token, spoilt by the tool":         {c, contents("theirs", time.Time{}), invalid, Theirs},
		"the token that was seen, spoilt by others": {c, contents("seen", time.Time{}), invalid, Missing},
		"our token, spoilt":                         {c, contents("ours", time.Time{}), invalid, Missing},
	} {
		if got := Compare(test.c, test.found, test.err); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestAdopt(t *testing.T) {
	before := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := sample("ours", before)
	c.State, c.Cause = credential.NeedsLogin, credential.CauseRefused
	c.Grant, c.Generation, c.Alias = "g", 7, "acct-abcdef"
	c.IDToken, c.Extra = secret.New("id"), secret.New(`{"x":1}`)
	c.RefreshExpiresAt, c.HoldOffUntil = before.Add(time.Hour), before.Add(time.Minute)
	now := credential.Instant{Wall: before.Add(50 * time.Minute), Boot: 3 * time.Hour, BootID: "b"}

	want := c
	want.State, want.Cause = credential.Active, ""
	want.AccessToken, want.RefreshToken = secret.New("access-theirs"), secret.New("refresh-theirs")
	want.RefreshExpiresAt = time.Time{}
	want.Received, want.RefreshedAt, want.Lifetime = now, now.Wall, 6*time.Hour
	want.Share.Seen = Remember(c.Share.Seen, Digest(c.RefreshToken), Digest(want.RefreshToken))
	want.Alias, want.IDToken = "", secret.String{}
	if diff := cmp.Diff(want, Adopt(c, contents("theirs", now.Wall.Add(6*time.Hour)), now)); diff != "" {
		t.Errorf("adopted (-want +got):\n%s", diff)
	}

	elsewhere := contents("theirs", now.Wall.Add(time.Hour))
	elsewhere.ResourceURL = "other.example"
	if got := Adopt(c, elsewhere, now).ResourceURL; got != "other.example" {
		t.Errorf("resource URL %q", got)
	}
	if got := Adopt(c, contents("ours", now.Wall.Add(time.Hour)), now).RefreshExpiresAt; !got.Equal(c.RefreshExpiresAt) {
		t.Errorf("the end of the same refresh token became %v", got)
	}
	if got := Adopt(c, contents("theirs", time.UnixMilli(253_402_300_799_000)), now).Lifetime; got != foreverLifetime {
		t.Errorf("a lifetime of %v was believed", got)
	}
	for name, end := range map[string]time.Time{"ended": now.Wall.Add(-time.Hour), "ends now": now.Wall, "unknown": {}} {
		got := Adopt(c, contents("theirs", end), now)
		if left := got.ExpiresAt().Sub(now.Wall); got.Lifetime <= 0 || left > 0 {
			t.Errorf("%s: lifetime %v, %v left, want a refresh to be due", name, got.Lifetime, left)
		}
		if age := now.Boot - got.Received.Boot; age < got.Lifetime {
			t.Errorf("%s: usable by the clock since boot", name)
		}
	}
}

func TestDigest(t *testing.T) {
	if Digest(secret.String{}) != "" {
		t.Error("the digest of no token is not empty")
	}
	a, b := Digest(secret.New("a")), Digest(secret.New("b"))
	if a == b || len(a) != 64 || a != Digest(secret.New("a")) {
		t.Errorf("digests %s and %s", a, b)
	}
}
