package provider

import (
	"errors"
	"strconv"
	"time"
)

// spanUnits are the units of a span of time, the longest first.
var spanUnits = []struct {
	letter byte
	length time.Duration
}{{'d', 24 * time.Hour}, {'h', time.Hour}, {'m', time.Minute}}

// maxSpan bounds a span: ten years.
const maxSpan = 3650 * 24 * time.Hour

var errSpan = errors.New("must be a whole number and d, h or m, such as 90d, up to 3650d")

// parseSpan reads a whole number of days, hours or minutes; empty is 0.
func parseSpan(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	if err != nil || n == 0 {
		return 0, errSpan
	}
	for _, u := range spanUnits {
		if s[len(s)-1] == u.letter && n <= uint64(maxSpan/u.length) {
			return time.Duration(n) * u.length, nil
		}
	}
	return 0, errSpan
}

// spanText writes d in the longest unit that it is a multiple of; 0 is empty.
func spanText(d time.Duration) string {
	for _, u := range spanUnits {
		if d > 0 && d%u.length == 0 {
			return strconv.FormatInt(int64(d/u.length), 10) + string(u.letter)
		}
	}
	return ""
}
