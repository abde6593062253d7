package token

import (
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
)

func TestTimesByLifetime(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		lifetime, margin, early, spacing, holdOff time.Duration
	}{
		{0, 0, 0, 0, 30 * s},
		{-5 * s, 0, 0, 0, 30 * s},
		{3 * s, 600 * time.Millisecond, s, s, 1500 * time.Millisecond},
		{30 * s, 6 * s, 10 * s, 10 * s, 15 * s},
		{60 * s, 12 * s, 20 * s, 20 * s, 30 * s},
		{90 * s, 18 * s, 30 * s, 30 * s, 30 * s},
		{150 * s, 30 * s, 30 * s, 30 * s, 30 * s},
		{600 * s, 30 * s, 120 * s, 30 * s, 30 * s},
		{3600 * s, 30 * s, 300 * s, 30 * s, 30 * s},
		{30 * 24 * time.Hour, 30 * s, 300 * s, 30 * s, 30 * s},
	} {
		got := []time.Duration{
			Margin(tt.lifetime), RefreshEarly(tt.lifetime), Spacing(tt.lifetime), holdOff(tt.lifetime),
		}
		for i, want := range []time.Duration{tt.margin, tt.early, tt.spacing, tt.holdOff} {
			if got[i] != want {
				t.Errorf("L = %v: %s = %v, want %v", tt.lifetime, []string{"margin", "early", "spacing", "hold-off"}[i], got[i], want)
			}
		}
	}
}

// A token that is due is still usable, and one that is old enough to be due is
// older than the spacing: otherwise a renewal could never be early.
func TestTimesFitTogether(t *testing.T) {
	for l := 3 * time.Second; l < 100*time.Hour; l += l/7 + time.Millisecond {
		margin, early, spacing := Margin(l), RefreshEarly(l), Spacing(l)
		if margin > early || early > l-spacing || holdOff(l) > l-margin {
			t.Errorf("L = %v: margin %v, early %v, spacing %v, hold-off %v do not fit", l, margin, early, spacing, holdOff(l))
		}
		if n := need(l, 1000*time.Hour); n != l-spacing {
			t.Errorf("L = %v: need of everything = %v, want %v", l, n, l-spacing)
		}
	}
}

func TestNeed(t *testing.T) {
	const m = time.Minute
	for _, tt := range []struct{ lifetime, minTTL, want time.Duration }{
		{60 * m, 0, 30 * time.Second},
		{60 * m, -m, 30 * time.Second},
		{60 * m, time.Second, 30 * time.Second},
		{60 * m, 5 * m, 5 * m},
		{60 * m, 59 * m, 59 * m},
		{60 * m, 60 * m, 59*m + 30*time.Second},
		{60 * m, 600 * m, 59*m + 30*time.Second},
		{m, 5 * m, 40 * time.Second},
		{0, 5 * m, 0},
	} {
		if got := need(tt.lifetime, tt.minTTL); got != tt.want {
			t.Errorf("need(%v, %v) = %v, want %v", tt.lifetime, tt.minTTL, got, tt.want)
		}
	}
}

var received = credential.Instant{Wall: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), Boot: time.Hour, BootID: "a"}

// later is received plus what each clock shows to have passed.
func later(wall, boot time.Duration, id string) credential.Instant {
	return credential.Instant{Wall: received.Wall.Add(wall), Boot: received.Boot + boot, BootID: id}
}

// R16 and L11: the lesser of two clocks decides.
func TestLeft(t *testing.T) {
	const day, m = 24 * time.Hour, time.Minute
	for _, tt := range []struct {
		name     string
		lifetime time.Duration
		now      credential.Instant
		want     time.Duration
	}{
		{"just received", time.Hour, later(0, 0, "a"), time.Hour},
		{"ten minutes later", time.Hour, later(10*m, 10*m, "a"), 50 * m},
		{"set back a day", time.Hour, later(10*m-day, 10*m, "a"), 50 * m},
		{"set forward a day", time.Hour, later(10*m+day, 10*m, "a"), 50*m - day},
		{"after a reboot", time.Hour, later(10*m, -time.Hour, "b"), 50 * m},
		{"after a reboot without a clock", time.Hour, later(-50*365*day, -time.Hour, "b"), 0},
		{"no boot time known", time.Hour, later(10*m, 0, ""), 50 * m},
		{"no end", 0, later(365*day, 365*day, "a"), forever},
	} {
		c := credential.Credential{Received: received, Lifetime: tt.lifetime}
		if got := left(c, tt.now); got != tt.want {
			t.Errorf("%s: left = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestHeldOff(t *testing.T) {
	c := credential.Credential{Received: received, Lifetime: time.Hour, HoldOffUntil: received.Wall.Add(30 * time.Second)}
	const s = time.Second
	for _, tt := range []struct {
		name string
		now  credential.Instant
		want time.Duration
		held bool
	}{
		{"within", later(10*s, 10*s, "a"), 20 * s, true},
		{"at its end", later(30*s, 30*s, "a"), 0, false},
		{"set back a day", later(-24*time.Hour, 40*s, "a"), -10 * s, false},
		{"set forward a day", later(24*time.Hour, 10*s, "a"), 20 * s, true},
		{"rebooted", later(10*s, -time.Hour, "b"), 20 * s, true},
		{"rebooted without a clock", later(-24*time.Hour, -time.Hour, "b"), 0, false},
	} {
		if got, held := heldOff(c, tt.now); held != tt.held || held && got != tt.want {
			t.Errorf("%s: heldOff = %v, %v, want %v, %v", tt.name, got, held, tt.want, tt.held)
		}
	}
	if _, held := heldOff(credential.Credential{Received: received}, later(0, 0, "a")); held {
		t.Error("held off without a hold-off")
	}
}
