package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A plan that could never do what it says is refused when it arrives, with the
// rule and the member at fault: a test must not pass because of a mistyped plan.

func (f Faults) validate() error {
	for i, r := range f {
		if err := r.validate(); err != nil {
			return fmt.Errorf("fault rule %d: %w", i+1, err)
		}
	}
	return nil
}

func (r Rule) validate() error {
	if !slices.Contains([]string{"*", endpointDiscovery, endpointJWKS, endpointDevice, endpointAuthorize, endpointToken,
		endpointTokenDevice, endpointTokenCode, endpointTokenRefresh, endpointRevoke, endpointUserinfo, endpointResource,
	}, r.Endpoint) {
		return fmt.Errorf("endpoint %q: no such endpoint", r.Endpoint)
	}
	switch {
	case len(r.Calls) > 0 && (r.From != 0 || r.To != 0 || r.Every != 0):
		return errors.New("calls: not together with from, to and every")
	case slices.ContainsFunc(r.Calls, func(n int) bool { return n < 1 }):
		return errors.New("calls: call numbers start at 1")
	case r.From < 0 || r.To < 0 || r.Every < 0:
		return errors.New("from, to, every: want 0 or more")
	case r.To != 0 && r.To < r.From:
		return errors.New("to: lies before from")
	}
	if err := r.Do.validate(r.Endpoint); err != nil {
		return fmt.Errorf("do: %w", err)
	}
	return nil
}

// fires reports whether the rule fires at its n-th call.
func (r Rule) fires(n int) bool {
	if len(r.Calls) > 0 {
		return slices.Contains(r.Calls, n)
	}
	from := max(r.From, 1)
	return n >= from && (r.To == 0 || n <= r.To) && (n-from)%max(r.Every, 1) == 0
}

func (a Action) validate(endpoint string) error {
	if a.isZero() {
		return errors.New("does nothing")
	}
	onDevice := endpoint == endpointDevice || endpoint == endpointTokenDevice
	raws := 0
	for _, set := range []bool{a.OAuthError != "", a.Redirect != nil, a.Body != "" || a.BodyBase64 != nil || a.Repeat != nil, a.SlowDown} {
		if set {
			raws++
		}
	}
	switch {
	case !slices.Contains([]string{"", "before", "after", "mid"}, a.Drop):
		return fmt.Errorf("drop %q: want before, after or mid", a.Drop)
	case a.Status != 0 && (a.Status < 200 || a.Status > 999):
		return fmt.Errorf("status %d: want 200 to 999", a.Status)
	case a.DelayMS < 0 || a.AnswerDelayMS < 0 || a.TrickleMS < 0 || a.RetryAfter < 0:
		return errors.New("delays and retry_after: want 0 or more")
	case a.Body != "" && a.BodyBase64 != nil:
		return errors.New("body and body_base64: want one of them")
	case raws > 1:
		return errors.New("body, oauth_error, redirect and slow_down: want one of them")
	case a.SlowDown && endpoint != endpointTokenDevice:
		return errors.New("slow_down: for token.device only")
	case a.Deny && !onDevice:
		return errors.New("deny: for device and token.device only")
	case a.Redirect != nil && a.Redirect.Location == "":
		return errors.New("redirect: location is missing")
	case a.Redirect != nil && a.Redirect.Status != 0 && a.Redirect.Status/100 != 3:
		return fmt.Errorf("redirect: status %d: want 3xx", a.Redirect.Status)
	case a.Redirect != nil && a.Status != 0:
		return errors.New("redirect: its status stands in redirect.status")
	case a.Repeat != nil && a.Repeat.Text == "":
		return errors.New("repeat: text is missing")
	case a.Gzip && a.Drop == "mid":
		return errors.New("gzip: not together with drop mid")
	case a.Repeat != nil && (a.TruncateAt != nil || a.Drop == "mid"):
		return errors.New("repeat: not together with truncate_at or drop mid")
	case a.TruncateAt != nil && *a.TruncateAt < 0:
		return errors.New("truncate_at: want 0 or more")
	case a.Process && !a.isRaw():
		return errors.New("process: only an answer that is replaced needs it")
	}
	for name, values := range a.Headers {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }) {
			return fmt.Errorf("header %q: not a header name", name)
		}
		if strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") {
			return fmt.Errorf("header %q: a value has a line break", name)
		}
	}
	return nil
}

func (a Action) isZero() bool {
	return !a.isRaw() && a.DelayMS == 0 && a.AnswerDelayMS == 0 && a.Drop == "" && !a.SlowDown && !a.Deny &&
		len(a.Set) == 0 && len(a.Remove) == 0 && a.ContentType == "" && len(a.Headers) == 0 &&
		a.RetryAfter == 0 && a.TruncateAt == nil && !a.Gzip && a.TrickleMS == 0
}

// isRaw reports whether the action brings its own answer.
func (a Action) isRaw() bool {
	return a.Status != 0 || a.Body != "" || a.BodyBase64 != nil || a.OAuthError != "" || a.Redirect != nil || a.Repeat != nil
}
