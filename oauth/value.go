package oauth

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// parseNumber reads a decimal number with optional sign, fraction and exponent. strconv alone would also take
// hexadecimal, underscores and the names of infinities.
func parseNumber(s string) (n float64, ok bool) {
	s = strings.TrimSpace(s)
	if s == "" || strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(n, 0) {
		return 0, false
	}
	return n, true
}

// seconds converts n to a duration between 0 and limit.
func seconds(n float64, limit time.Duration) time.Duration {
	if n <= 0 {
		return 0
	}
	if n >= limit.Seconds() {
		return limit
	}
	return time.Duration(n * float64(time.Second))
}

// The range of a Retry-After that is believed.
const (
	minRetryAfter = time.Second
	maxRetryAfter = time.Hour
)

// retryAfter reads Retry-After (RFC 9110 section 10.2.3), as seconds or as a date. Of several headers the longest wait
// counts; what cannot be read does not.
func retryAfter(h http.Header, now time.Time) time.Duration {
	var longest time.Duration
	for _, v := range h.Values("Retry-After") {
		var wait time.Duration
		if n, ok := parseNumber(v); ok {
			wait = seconds(n, maxRetryAfter)
		} else if at, err := http.ParseTime(v); err == nil {
			wait = at.Sub(now)
		} else {
			continue
		}
		longest = max(longest, min(max(wait, minRetryAfter), maxRetryAfter))
	}
	return longest
}

const (
	// doubtfulLifetime is taken for a token whose expires_in is there but makes no sense: it works at once, and is renewed
	// early rather than served dead.
	doubtfulLifetime = time.Minute
	maxLifetime      = 10 * 365 * 24 * time.Hour

	// Values above these are no seconds of a lifetime (32 years) but a point in time, in seconds or milliseconds.
	epochSeconds = 1e9
	epochMillis  = 1e11
)

// lifetime reads the lifetime of an access token. It never fails: a token is not given up for its expires_in.
// 0 means that the provider named none.
func (o object) lifetime(name string, now time.Time, warn *warnings) time.Duration {
	n, ok, err := o.number(name)
	switch {
	case err != nil:
		warn.add("%v: taking %v", err, doubtfulLifetime)
		return doubtfulLifetime
	case !ok:
		return 0
	case n > epochSeconds:
		warn.add("%s looks like a point in time, not a duration", name)
		if n > epochMillis {
			n /= 1000
		}
		n -= float64(now.Unix())
	}
	n = math.Floor(n)
	if n <= 0 {
		warn.add("%s is not positive: taking %v", name, doubtfulLifetime)
		return doubtfulLifetime
	}
	return seconds(n, maxLifetime)
}

// refreshLifetime reads the lifetime of a refresh token; whatever is not a positive number of seconds is unknown, 0.
// (Keycloak writes 0 for offline tokens, which do not expire.)
func (o object) refreshLifetime(warn *warnings) time.Duration {
	for _, name := range []string{"refresh_token_expires_in", "refresh_expires_in"} {
		n, ok, err := o.number(name)
		if err != nil {
			warn.add("%v", err)
		}
		if ok && n > 0 {
			return seconds(math.Floor(n), maxLifetime)
		}
	}
	return 0
}

// warnings collects what was odd about an answer that could be used all the same. The texts are ours alone.
type warnings []string

func (w *warnings) add(format string, args ...any) {
	*w = append(*w, fmt.Sprintf(format, args...))
}
