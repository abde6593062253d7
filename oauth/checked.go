package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/usherauth/usher/internal/safetext"
	"github.com/usherauth/usher/secret"
)

// This file holds answers that did not come over the wire, from a program's own code, to what is promised of those
// that did.

// Checked returns a as AuthorizeDevice would have returned it: fit to be shown, with the defaults and bounds of its
// times. A user code and a usable VerificationURI must be there; a VerificationURIComplete that may not be shown is
// left out, as are the warnings. Errors repeat nothing of a.
func (a DeviceAuthorization) Checked() (*DeviceAuthorization, error) {
	raw := a.UserCode
	if raw == "" {
		return nil, errors.New("user code is missing")
	}
	a.UserCode, _ = safetext.UserCode(raw)
	uri, err := safetext.URL(a.VerificationURI)
	if err != nil {
		return nil, fmt.Errorf("verification URI: %w", err)
	}
	a.VerificationURI = uri
	if a.VerificationURIComplete, err = completeURI(a.VerificationURIComplete, uri, raw); err != nil {
		a.VerificationURIComplete = ""
	}
	switch {
	case a.ExpiresIn <= 0:
		a.ExpiresIn = defaultDeviceLifetime
	case a.ExpiresIn > maxDeviceLifetime:
		a.ExpiresIn = maxDeviceLifetime
	}
	switch {
	case a.Interval <= 0:
		a.Interval = defaultInterval
	case a.Interval > maxInterval:
		a.Interval = nonsenseInterval
	default:
		a.Interval = max(a.Interval, minInterval)
	}
	a.Warnings = nil
	return &a, nil
}

// Checked returns t as a token endpoint's answer is returned. The access token must be fit for a header; Type must be
// Bearer, which is also taken when it is empty. What else is not of its form is left out, as are the warnings. Errors
// repeat nothing of t.
func (t Token) Checked() (*Token, error) {
	switch access := t.AccessToken.Reveal(); {
	case access == "":
		return nil, errors.New("access token is missing")
	case !isTokenText(access):
		return nil, errors.New("access token holds characters that a header cannot hold")
	case t.Type != "" && !strings.EqualFold(t.Type, "Bearer"):
		return nil, errors.New("token type is not Bearer")
	}
	t.Type = "Bearer"
	if !isTokenText(t.ResourceURL) {
		t.ResourceURL = ""
	}
	if slices.ContainsFunc(t.Scopes, func(s string) bool { return s == "" || !isTokenText(s) }) {
		t.Scopes = nil
	}
	t.Scopes = slices.Clone(t.Scopes) // the caller may go on to use its own
	t.Lifetime = min(max(t.Lifetime, 0), maxLifetime)
	t.RefreshLifetime = min(max(t.RefreshLifetime, 0), maxLifetime)
	var members map[string]json.RawMessage
	if extra := t.Extra.Reveal(); extra != "" && (len(extra) > MaxExtra || json.Unmarshal([]byte(extra), &members) != nil || members == nil) {
		t.Extra = secret.String{}
	}
	t.Warnings = nil
	return &t, nil
}
