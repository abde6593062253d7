package cli

import (
	"testing"
	"time"

	"github.com/usherauth/usher/api"
)

func TestParseExpectation(t *testing.T) {
	for text, want := range map[string]expectation{
		"":            {},
		"active":      {asked: true},
		"valid:0s":    {asked: true},
		"valid:10m":   {asked: true, valid: 10 * time.Minute},
		"valid:1h5s":  {asked: true, valid: time.Hour + 5*time.Second},
		"valid:7d":    {asked: true, valid: 7 * 24 * time.Hour},
		"valid:3650d": {asked: true, valid: maxExpected},
	} {
		if got, err := parseExpectation(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"Active", "active:", "valid", "valid:", "valid:d", "valid:10", "valid:-1s", "valid:-1d", "valid:1.5d", "valid:3651d", "valid:99999h", "valid:99999999999d", "10m", " active"} {
		if got, err := parseExpectation(text); api.AsError(err) == nil || api.AsError(err).Code.Exit() != api.ExitUsage {
			t.Errorf("%q is taken for %+v, %v", text, got, err)
		}
	}
}

func TestExpectation(t *testing.T) {
	active := api.Credential{Key: "box", State: api.StateActive}
	ending := func(token, person time.Duration) api.Credential {
		c := active
		c.ExpiresAt = noon.Add(token)
		if person != 0 {
			c.NeedsLoginBy = noon.Add(person)
		}
		return c
	}
	refused := api.Credential{Key: "box", State: api.StateNeedsLogin, Cause: "answer_lost"}
	tests := []struct {
		name   string
		c      api.Credential
		expect string
		want   string // the error, "" for none
	}{
		{"no end is known", active, "valid:3650d", ""},
		{"it ended and can be renewed", ending(-time.Hour, 0), "valid:10m", ""},
		{"it ends and can be renewed", ending(time.Minute, 0), "valid:10m", ""},
		{"a person is needed later", ending(time.Minute, time.Hour), "valid:10m", ""},
		{"a person is needed a moment later", ending(time.Minute, 10*time.Minute+1), "valid:10m", ""},
		{"a person is needed then", ending(time.Minute, 10*time.Minute), "valid:10m", "box needs a login by " + at(10*time.Minute) + " (in 10 minutes)"},
		{"a person is needed before", ending(time.Minute, 5*24*time.Hour), "valid:7d", "box needs a login by " + noon.Add(5*24*time.Hour).Local().Format(time.DateOnly) + " (in 5 days)"},
		{"but it is active", ending(time.Minute, 5*time.Minute), "active", ""},
		{"and asked for now", ending(time.Minute, 5*time.Minute), "valid:0s", ""},
		{"it has ended for good", ending(-time.Hour, -time.Minute), "active", "box needs a login: it has ended and cannot be renewed"},
		{"a login is needed", refused, "active", "box needs a login: an answer of the provider was lost, and with it the token to renew it with"},
		{"a login is needed for longer too", refused, "valid:10m", "box needs a login: an answer of the provider was lost, and with it the token to renew it with"},
		{"nobody asked", refused, "", ""},
	}
	for _, tt := range tests {
		x, err := parseExpectation(tt.expect)
		if err != nil {
			t.Fatal(err)
		}
		e := x.missed(tt.c, noon)
		switch {
		case e == nil && tt.want == "":
		case e == nil || e.Message != tt.want:
			t.Errorf("%s: %v, want %q", tt.name, e, tt.want)
		case e.Code.Exit() != api.ExitLoginNeeded || e.Hint != "run: usher login box" || e.Kind != tt.c.Cause:
			t.Errorf("%s: %+v", tt.name, e)
		}
	}
}

func at(d time.Duration) string { return noon.Add(d).Local().Format("2006-01-02 15:04") }

// A forecast shows while there is something to forecast, and not too early.
func TestNeededSoon(t *testing.T) {
	for by, want := range map[time.Duration]bool{
		-time.Minute:               false, // that is not soon, that is now
		time.Minute:                true,
		7 * 24 * time.Hour:         true,
		7*24*time.Hour + 1:         false,
		100 * 365 * 24 * time.Hour: false,
	} {
		c := api.Credential{Key: "box", State: api.StateActive, NeedsLoginBy: noon.Add(by)}
		if got := neededSoon(c, noon); got != want {
			t.Errorf("in %s: %v", by, got)
		}
		c.State = api.StateNeedsLogin
		if neededSoon(c, noon) {
			t.Errorf("in %s: one that needs a login now is said to need one soon", by)
		}
	}
	if neededSoon(api.Credential{State: api.StateActive}, noon) {
		t.Error("what is not known is said to be soon")
	}
}
