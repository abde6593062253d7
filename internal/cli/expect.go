package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/api"
)

// expectation is what --expect asks of every credential that is shown.
type expectation struct {
	asked bool
	// valid is how long tokens are to be had without a person; 0 is now.
	valid time.Duration
}

// maxExpected keeps what is added to the time of day from overflowing.
const maxExpected = 3650 * 24 * time.Hour

// parseExpectation reads "active" and "valid:10m"; empty asks nothing.
func parseExpectation(text string) (expectation, error) {
	if text == "" {
		return expectation{}, nil
	}
	if text == "active" {
		return expectation{asked: true}, nil
	}
	span, ok := strings.CutPrefix(text, "valid:")
	valid, err := time.ParseDuration(span)
	if days, isDays := strings.CutSuffix(span, "d"); isDays {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		valid = time.Duration(n) * 24 * time.Hour
	}
	if !ok || err != nil || valid < 0 || valid > maxExpected {
		return expectation{}, usagef("--expect must be active, or valid: and a time of up to 3650d such as valid:10m, valid:7d")
	}
	return expectation{asked: true, valid: valid}, nil
}

// missed is why c does not meet the expectation; nil if it does.
func (x expectation) missed(c api.Credential, now time.Time) *api.Error {
	if !x.asked {
		return nil
	}
	if e := loginNeeded(c, now); e != nil {
		return e
	}
	if c.NeedsLoginBy.IsZero() || c.NeedsLoginBy.After(now.Add(x.valid)) {
		return nil
	}
	return api.Errorf(api.CodeLoginNeeded, "%s", forecast(c, now)).WithHint("run: usher login %s", c.Key)
}

// judge tells which of creds miss the expectation; the last of them is the
// error of the command. There must be at least one.
func (a *app) judge(x expectation, creds []api.Credential, now time.Time) error {
	if !x.asked {
		return nil
	}
	if len(creds) == 0 {
		return api.Errorf(api.CodeLoginNeeded, "nothing is logged in").WithHint("run: usher login KEY")
	}
	var last *api.Error
	for _, c := range creds {
		if e := x.missed(c, now); e != nil {
			if last != nil {
				a.sayError(last)
			}
			last = e
		}
	}
	if last == nil {
		return nil
	}
	return last
}

// forecastWindow is how long before a person is needed the status says so.
const forecastWindow = 7 * 24 * time.Hour

// neededSoon reports whether a person will be needed for c, which yields tokens
// now, within the window.
func neededSoon(c api.Credential, now time.Time) bool {
	return !c.NeedsLoginBy.IsZero() && loginNeeded(c, now) == nil && !c.NeedsLoginBy.After(now.Add(forecastWindow))
}

// forecast says when a person will be needed for c.
func forecast(c api.Credential, now time.Time) string {
	by, left := c.NeedsLoginBy, c.NeedsLoginBy.Sub(now)
	day := by.Local().Format(time.DateOnly)
	if left < 48*time.Hour {
		day = by.Local().Format("2006-01-02 15:04")
	}
	return fmt.Sprintf("%s needs a login by %s (in %s)", c.Key, day, span(seconds(left)))
}
