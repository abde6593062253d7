package oauth

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/usherauth/usher/internal/safetext"
	"github.com/usherauth/usher/internal/uuid"
	"github.com/usherauth/usher/secret"
)

const grantDeviceCode = "urn:ietf:params:oauth:grant-type:device_code"

// The numbers of a device authorization. A client never polls faster than it was asked to, so there is no upper clamp on
// the interval but the one above which it counts as nonsense.
const (
	defaultInterval  = 5 * time.Second // RFC 8628 section 3.2
	minInterval      = time.Second
	maxInterval      = time.Hour
	nonsenseInterval = 300 * time.Second

	defaultDeviceLifetime = 15 * time.Minute
	maxDeviceLifetime     = time.Hour
)

// DeviceRequest is what a device authorization asks for (RFC 8628 section 3.1).
type DeviceRequest struct {
	// Scopes to ask for; none leaves the choice to the server.
	Scopes []string
	// Resource is the resource indicator (RFC 8707); empty means Client.Resource.
	Resource string
	// Extra are further parameters, one value each, appended in the order of their names. None may repeat another one.
	Extra url.Values
}

// DeviceAuthorization is the server's answer (RFC 8628 section 3.2), fit to be shown.
type DeviceAuthorization struct {
	// DeviceCode goes to PollDevice and nowhere else.
	DeviceCode secret.String
	// CodeVerifier goes to PollDevice with the device code; zero if the dialect has no PKCE in the device grant.
	CodeVerifier secret.String
	// UserCode is what the person enters, as safetext.UserCode shows it. Always display it together with
	// VerificationURI (section 3.3.1).
	UserCode string
	// VerificationURI is where to enter it; it passed safetext.URL.
	VerificationURI string
	// VerificationURIComplete is the same with the code filled in, or empty. It has the origin of VerificationURI.
	VerificationURIComplete string
	// ExpiresIn is how long the codes live from now: what the server said, at most 1 h, or 15 min if it said nothing
	// usable.
	ExpiresIn time.Duration
	// Interval is the least time between two polls, and before the first: 5 s unless the server asked for another
	// one, never under 1 s.
	Interval time.Duration
	// Warnings says what was odd about the answer.
	Warnings []string
}

// AuthorizeDevice asks for a device authorization (RFC 8628 sections 3.1 and 3.2), with a fresh PKCE verifier unless the
// dialect has none. It makes one request.
func (c *Client) AuthorizeDevice(ctx context.Context, r DeviceRequest) (*DeviceAuthorization, error) {
	const op = "device authorization"
	t, err := c.Dialect.traits()
	if err != nil {
		return nil, configError(op, "%w", err)
	}
	x := &call{op: op, name: "device authorization", endpoint: c.Endpoints.DeviceAuthorization, public: !t.deviceAuth}
	c.identify(x)
	x.form.add("scope", strings.Join(r.Scopes, " "))
	var verifier secret.String
	if t.devicePKCE {
		verifier = NewVerifier()
		x.form.add("code_challenge", ChallengeS256(verifier))
		x.form.add("code_challenge_method", challengeMethod)
	}
	if err := c.addResource(x, r.Resource); err != nil {
		return nil, configError(op, "%w", err)
	}
	if err := x.form.addExtra(r.Extra); err != nil {
		return nil, configError(op, "%w", err)
	}
	if t.requestID {
		x.header = http.Header{"X-Request-Id": {uuid.New()}}
	}
	a, err := c.do(ctx, x)
	if err != nil {
		return nil, err
	}
	if a.readErr != nil {
		return nil, a.readErr
	}
	if a.parseErr != nil {
		return nil, a.malformed(op, a.parseErr)
	}
	d, err := parseDevice(a.object)
	if err != nil {
		return nil, a.malformed(op, err)
	}
	d.CodeVerifier = verifier
	return d, nil
}

// PollDevice asks once whether the device authorization was decided (RFC 8628 section 3.4). While it is not, the error's
// code is ErrorAuthorizationPending or ErrorSlowDown; waiting between polls, and adding 5 s for good after the latter,
// is the caller's part (section 3.5). Pass the verifier that AuthorizeDevice returned, zero or not.
func (c *Client) PollDevice(ctx context.Context, deviceCode, codeVerifier secret.String) (*Token, error) {
	x := &call{op: "device token"}
	x.form.add("grant_type", grantDeviceCode)
	c.identify(x)
	x.form.addSecret("device_code", deviceCode)
	x.form.addSecret("code_verifier", codeVerifier)
	if deviceCode.IsZero() {
		return nil, configError(x.op, "device code is empty")
	}
	if err := c.addResource(x, ""); err != nil {
		return nil, configError(x.op, "%w", err)
	}
	return c.token(ctx, x)
}

func parseDevice(o object) (*DeviceAuthorization, error) {
	d := &DeviceAuthorization{}
	warn := (*warnings)(&d.Warnings)
	deviceCode, err := o.text("device_code")
	if err != nil || deviceCode == "" {
		return nil, missing("device_code", err)
	}
	d.DeviceCode = secret.New(deviceCode)
	userCode, err := o.text("user_code")
	if err != nil || userCode == "" {
		return nil, missing("user_code", err)
	}
	var plain bool
	if d.UserCode, plain = safetext.UserCode(userCode); !plain {
		warn.add("user_code is unusual and shown in quotes")
	}
	if d.VerificationURI, err = parseVerificationURI(o); err != nil {
		return nil, err
	}
	d.VerificationURIComplete = parseComplete(o, d.VerificationURI, userCode, warn)
	d.ExpiresIn = parseDeviceLifetime(o, warn)
	d.Interval = parseInterval(o, warn)
	return d, nil
}

// missing is the error for a required member that is absent, empty or, as err says, unreadable.
func missing(name string, err error) error {
	if err != nil {
		return err
	}
	return errors.New(name + " is missing")
}

func parseVerificationURI(o object) (string, error) {
	raw, err := o.text("verification_uri")
	if raw == "" && err == nil {
		raw, err = o.text("verification_url") // Google and its imitators
	}
	if err != nil || raw == "" {
		return "", missing("verification_uri", err)
	}
	shown, err := safetext.URL(raw)
	if err != nil {
		return "", fmt.Errorf("verification_uri: %w", err)
	}
	return shown, nil
}

// parseComplete returns verification_uri_complete if it leads where verification_uri leads with the same code, else "".
func parseComplete(o object, uri, userCode string, warn *warnings) string {
	raw, err := o.text("verification_uri_complete")
	if err != nil {
		raw = "unreadable" // which is no link either
	}
	shown, err := completeURI(raw, uri, userCode)
	if err != nil {
		warn.add("verification_uri_complete %v and is left out", err)
	}
	return shown
}

// completeURI returns raw as it may be shown beside uri and userCode. Without a link there is none.
func completeURI(raw, uri, userCode string) (shown string, err error) {
	if raw == "" {
		return "", nil
	}
	shown, err = safetext.URL(raw)
	switch {
	case err != nil:
		return "", errors.New("is not a usable link")
	case !sameOrigin(raw, uri):
		return "", errors.New("leads elsewhere than verification_uri")
	case !carriesCode(raw, userCode):
		return "", errors.New("carries another user code")
	}
	return shown, nil
}

func sameOrigin(a, b string) bool {
	u, errA := url.Parse(a)
	v, errB := url.Parse(b)
	return errA == nil && errB == nil && u.Scheme == v.Scheme &&
		strings.EqualFold(u.Hostname(), v.Hostname()) && effectivePort(u) == effectivePort(v)
}

func effectivePort(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// carriesCode reports whether the query of raw has no user_code, or this one. Case and punctuation are for display only
// (RFC 8628 section 6.1).
func carriesCode(raw, userCode string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	in := u.Query().Get("user_code")
	return in == "" || bareCode(in) == bareCode(userCode)
}

func bareCode(s string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "", "_", "").Replace(s))
}

func parseDeviceLifetime(o object, warn *warnings) time.Duration {
	n, ok, err := o.number("expires_in")
	lifetime := seconds(n, maxDeviceLifetime)
	if err != nil || !ok || lifetime == 0 || n > epochSeconds {
		warn.add("expires_in is missing or makes no sense: taking %v", defaultDeviceLifetime)
		return defaultDeviceLifetime
	}
	return lifetime
}

func parseInterval(o object, warn *warnings) time.Duration {
	n, ok, err := o.number("interval")
	if err != nil {
		warn.add("%v: taking %v", err, defaultInterval)
		return defaultInterval
	}
	if !ok {
		return defaultInterval
	}
	if n > maxInterval.Seconds() {
		warn.add("interval is longer than %v: taking %v", maxInterval, nonsenseInterval)
		return nonsenseInterval
	}
	return max(seconds(math.Ceil(n), maxInterval), minInterval)
}
