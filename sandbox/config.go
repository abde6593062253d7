package sandbox

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/usherauth/usher/internal/safetext"
)

// ApproveMode says who decides about an authorization request.
type ApproveMode string

// The approve modes.
const (
	// ApproveManual leaves the decision to a person at the page, or to
	// [Server.Approve] and [Server.Deny].
	ApproveManual ApproveMode = "manual"
	// ApproveAuto approves by itself: a device authorization after
	// Config.AutoAfterPolls polls, an authorization request at once.
	ApproveAuto ApproveMode = "auto"
	// ApproveDeny denies by itself, at the moments ApproveAuto would approve.
	ApproveDeny ApproveMode = "deny"
)

// Rotation says what a refresh does to the refresh token.
type Rotation string

// The rotation modes.
const (
	// RotationNone keeps the refresh token; the answer carries none.
	RotationNone Rotation = "none"
	// RotationGrace rotates, and accepts the previous refresh token again
	// until its successor was used or Config.GracePeriod passed; it then
	// answers with the same successor. After that, reuse is punished as in
	// RotationStrict.
	RotationGrace Rotation = "grace"
	// RotationStrict rotates; presenting a spent refresh token revokes every
	// token of its login (RFC 9700 section 4.14.2).
	RotationStrict Rotation = "strict"
)

// Config is what [New] needs. Its zero value is a strict public sandbox that
// waits for a person.
type Config struct {
	// Issuer is the issuer URL, http or https, without query or fragment
	// (RFC 8414 section 2). It may carry a path. Empty: to be set with
	// SetIssuer before the first request.
	Issuer string
	// Approve is who decides. Empty: ApproveManual.
	Approve ApproveMode
	// AutoAfterPolls is how many polls ApproveAuto and ApproveDeny answer
	// with authorization_pending before they decide. 0: 2. Negative: none.
	AutoAfterPolls int
	// Interval is the polling interval in seconds, told to the client and
	// enforced between polls. 0: 5.
	Interval int
	// TokenLifetime is the life of an access token, one second or more. 0: one
	// hour; in the github dialect, which has no expiry unless it is asked
	// for, 0 means access tokens that stay and no refresh tokens.
	TokenLifetime time.Duration
	// CodeLifetime is the life of device codes, and of authorization codes
	// up to ten minutes. 0: ten minutes.
	CodeLifetime time.Duration
	// CodeGrace is how long a device code that was redeemed is answered again
	// with the same tokens, as some servers do for a client that has lost the
	// answer. 0: a device code is good once.
	CodeGrace time.Duration
	// WithoutDevice leaves the device grant out, as many servers do.
	WithoutDevice bool
	// Rotation is what a refresh does to the refresh token. Empty:
	// RotationStrict.
	Rotation Rotation
	// GracePeriod is how long RotationGrace accepts the previous refresh
	// token. 0: one minute.
	GracePeriod time.Duration
	// Dialect is whose paths and answers are spoken. Empty: DialectStandard.
	Dialect Dialect
	// Clients are the registered clients. Empty: every client id is accepted
	// as a public client, redirecting to loopback only.
	Clients []Client
	// Subject is the sub of the person who approves. Empty: "sandbox-user".
	Subject string
	// Faults is the first fault plan. Empty: honest.
	Faults Faults
	// Log gets one line per request, without secrets. Nil: silent.
	Log *slog.Logger
	// Canary, when set, is part of every secret issued, so that a test can
	// search outputs for it. At most 64 of A-Z a-z 0-9 _ -. Inside an id token
	// it is the start of the jti, which base64 hides from a plain search.
	Canary string
}

const (
	defaultInterval       = 5 // RFC 8628 section 3.2
	defaultAutoAfterPolls = 2
	defaultTokenLifetime  = time.Hour
	defaultCodeLifetime   = 10 * time.Minute
	defaultGracePeriod    = time.Minute
	defaultSubject        = "sandbox-user"

	// maxAuthorizationCode is the longest life RFC 6749 section 4.1.2
	// recommends for an authorization code.
	maxAuthorizationCode = 10 * time.Minute
)

func (c Config) interval() time.Duration {
	if c.Interval == 0 {
		return defaultInterval * time.Second
	}
	return time.Duration(c.Interval) * time.Second
}

func (c Config) pollsBeforeDecision() int {
	switch {
	case c.AutoAfterPolls == 0:
		return defaultAutoAfterPolls
	case c.AutoAfterPolls < 0:
		return 0
	}
	return c.AutoAfterPolls
}

func (c Config) tokenLifetime() time.Duration {
	return orDefault(c.TokenLifetime, defaultTokenLifetime)
}

func (c Config) codeLifetime() time.Duration { return orDefault(c.CodeLifetime, defaultCodeLifetime) }

func (c Config) gracePeriod() time.Duration { return orDefault(c.GracePeriod, defaultGracePeriod) }

func (c Config) approve() ApproveMode { return orDefault(c.Approve, ApproveManual) }

func (c Config) rotation() Rotation { return orDefault(c.Rotation, RotationStrict) }

func (c Config) subject() string { return orDefault(c.Subject, defaultSubject) }

func orDefault[T comparable](v, standard T) T {
	var zero T
	if v == zero {
		return standard
	}
	return v
}

// validate reports the first thing in c that makes no sense.
func (c Config) validate() error {
	switch c.approve() {
	case ApproveManual, ApproveAuto, ApproveDeny:
	default:
		return fmt.Errorf("approve mode %q: want manual, auto or deny", c.Approve)
	}
	switch c.rotation() {
	case RotationNone, RotationGrace, RotationStrict:
	default:
		return fmt.Errorf("rotation %q: want none, grace or strict", c.Rotation)
	}
	if c.Interval < 0 {
		return fmt.Errorf("interval %d: want 0 or more seconds", c.Interval)
	}
	if c.TokenLifetime != 0 && c.TokenLifetime < time.Second {
		return fmt.Errorf("token lifetime %v: want one second or more", c.TokenLifetime)
	}
	if c.CodeLifetime != 0 && c.CodeLifetime < time.Second {
		return fmt.Errorf("code lifetime %v: want one second or more", c.CodeLifetime)
	}
	if c.CodeGrace < 0 {
		return fmt.Errorf("code grace %v: want 0 or more", c.CodeGrace)
	}
	if c.GracePeriod < 0 {
		return fmt.Errorf("grace period %v: want 0 or more", c.GracePeriod)
	}
	if !safetext.Word(c.Canary, "_-", 0, 64) {
		return errors.New("canary: want at most 64 of A-Z a-z 0-9 _ -")
	}
	if err := validateClients(c.Clients); err != nil {
		return err
	}
	return c.Faults.validate()
}

// parseIssuer checks an issuer URL (RFC 8414 section 2; http is allowed, since
// a sandbox lives on loopback) and returns its path without the last slash.
func parseIssuer(issuer string) (prefix string, err error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return "", fmt.Errorf("parsing issuer: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("issuer %q: want an http or https URL", issuer)
	}
	if u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", fmt.Errorf("issuer %q: want a host, and no user, query or fragment", issuer)
	}
	return trimSlash(u.Path), nil
}
