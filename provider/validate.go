package provider

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/usherauth/usher/internal/safetext"
	"github.com/usherauth/usher/oauth"
)

// maxPollInterval bounds poll_interval, in seconds. Device codes live for
// minutes; above an hour no poll would ever find one alive.
const maxPollInterval = 3600

// maxText bounds titles, notes and the like, in characters.
const maxText = 400

// A keyError is what is wrong with the value of one key.
type keyError struct {
	key string
	err error
}

func (e keyError) Error() string { return e.key + ": " + e.err.Error() }

// validate reports the first setting that cannot be used, as a [keyError]; nil
// if all can. What is merely missing for a login
// is the business of [Provider.Check].
func (s Settings) validate() error {
	for _, c := range []struct {
		key   string
		value string
		check func(string) error
	}{
		{"title", s.Title, checkText},
		{"note", s.Note, checkText},
		{"issuer", s.Issuer, checkIssuer},
		{"device_authorization_endpoint", s.DeviceAuthorizationEndpoint, checkURL},
		{"authorization_endpoint", s.AuthorizationEndpoint, checkURL},
		{"token_endpoint", s.TokenEndpoint, checkURL},
		{"revocation_endpoint", s.RevocationEndpoint, checkURL},
		{"userinfo_endpoint", s.UserinfoEndpoint, checkURL},
		{"client_id", s.ClientID, checkClientID},
		{"client_id_help", s.ClientIDHelp, checkText},
		{"client_secret_file", s.ClientSecretFile, checkPath},
		{"auth_style", s.AuthStyle, s.checkAuthStyle},
		{"dialect", s.Dialect, checkDialect},
		{"resource", s.Resource, checkResource},
		{"keep_alive", s.KeepAlive, checkKeepAlive},
		{"share_with", s.ShareWith, checkShareWith},
		{"base_url", s.BaseURL, checkURL},
		{"base_url_rule", s.BaseURLRule, checkBaseURLRule},
		{"git_username", s.GitUsername, checkUsername},
		{"docker_username", s.DockerUsername, checkUsername},
	} {
		if c.value == "" {
			continue
		}
		if err := c.check(c.value); err != nil {
			return keyError{c.key, err}
		}
	}
	for _, c := range []struct {
		key string
		err error
	}{
		{"redirect_uris", checkRedirectURIs(s.RedirectURIs)},
		{"scopes", checkScopes(s.Scopes)},
		{"token_env", checkVariables(s.TokenEnv)},
		{"base_url_env", s.checkBaseURLEnv()},
		{"git_hosts", CheckHosts(s.GitHosts)},
		{"docker_hosts", CheckHosts(s.DockerHosts)},
	} {
		if c.err != nil {
			return keyError{c.key, c.err}
		}
	}
	if s.PollInterval < 0 || s.PollInterval > maxPollInterval {
		return keyError{"poll_interval", fmt.Errorf("must be 1 to %d seconds", maxPollInterval)}
	}
	return s.checkPlace()
}

// checkPlace wants to know where the server is.
func (s Settings) checkPlace() error {
	switch {
	case s.Issuer != "":
		return nil
	case s.DeviceAuthorizationEndpoint == "" && s.AuthorizationEndpoint == "" && s.TokenEndpoint == "":
		return keyError{"issuer", errors.New("missing; give it, or device_authorization_endpoint and token_endpoint")}
	case s.DeviceAuthorizationEndpoint == "" && s.AuthorizationEndpoint == "":
		return keyError{"device_authorization_endpoint", errors.New("missing, and there is no issuer to discover it at")}
	case s.TokenEndpoint == "":
		return keyError{"token_endpoint", errors.New("missing, and there is no issuer to discover it at")}
	}
	return nil
}

func checkText(s string) error {
	if safetext.Line(s, maxText) != s {
		return fmt.Errorf("must be at most %d plain characters on one line", maxText)
	}
	return nil
}

func checkURL(s string) error {
	if _, err := safetext.URL(s); err != nil {
		return err
	}
	if strings.Contains(s, "#") {
		return errors.New("link has a fragment")
	}
	return nil
}

// checkIssuer holds s to RFC 8414 section 2.
func checkIssuer(s string) error {
	if strings.Contains(s, "?") {
		return errors.New("link has a query")
	}
	return checkURL(s)
}

// checkClientID holds s to RFC 6749 appendix A.1. Spaces are in its alphabet,
// but none in use begins or ends with one, unlike slips of the clipboard.
func checkClientID(s string) error {
	const limit = 1024
	if len(s) > limit || strings.TrimSpace(s) != s ||
		strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("must be at most %d printable ASCII characters without spaces around them", limit)
	}
	return nil
}

// checkRedirectURIs holds each redirect URI to RFC 6749 section 3.1.2, and to
// TLS off loopback.
func checkRedirectURIs(uris []string) error {
	for i, uri := range uris {
		if shown, err := safetext.URL(uri); err != nil || shown != uri || strings.Contains(uri, "#") {
			return fmt.Errorf("%q is no redirect URI: want an https URL, or http to a loopback address, without a fragment", safetext.Line(uri, maxText))
		}
		if slices.Contains(uris[:i], uri) {
			return fmt.Errorf("%q is there twice", uri)
		}
	}
	return nil
}

// checkScopes holds each scope to RFC 6749 section 3.3.
func checkScopes(scopes []string) error {
	for i, scope := range scopes {
		if scope == "" || strings.ContainsFunc(scope, notScopeChar) {
			return fmt.Errorf("%q is no scope: want printable ASCII without spaces, quotes and backslashes, one scope an element", scope)
		}
		if slices.Contains(scopes[:i], scope) {
			return fmt.Errorf("%q is there twice", scope)
		}
	}
	return nil
}

func notScopeChar(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }

// checkResource holds s to RFC 8707 section 2.
func checkResource(s string) error {
	u, err := url.Parse(s)
	if err != nil || !u.IsAbs() || strings.Contains(s, "#") {
		return errors.New("must be an absolute URI without a fragment")
	}
	return nil
}

func checkPath(s string) error {
	if !filepath.IsAbs(s) || strings.ContainsRune(s, 0) {
		return errors.New("must be an absolute path")
	}
	return nil
}

func (s Settings) checkAuthStyle(string) error {
	style, err := oauth.ParseAuthStyle(s.AuthStyle)
	switch {
	case err != nil:
		return err
	case style == oauth.AuthNone && s.ClientSecretFile != "":
		return errors.New("none sends no secret, but client_secret_file is given")
	case style != oauth.AuthNone && s.ClientSecretFile == "":
		return fmt.Errorf("%s needs client_secret_file", style)
	}
	return nil
}

func checkDialect(s string) error {
	_, err := oauth.ParseDialect(s)
	return err
}

// noTool is the value of share_with that turns sharing off.
const noTool = "none"

// checkShareWith wants a name; which tools there are, package share knows.
func checkShareWith(s string) error {
	if !safetext.Word(s, "-", 1, 32) {
		return fmt.Errorf("must be the name of a tool, or %s", noTool)
	}
	return nil
}

func checkKeepAlive(s string) error {
	_, err := parseSpan(s)
	return err
}

func checkBaseURLRule(s string) error {
	if BaseURLRule(s) != BaseURLResource {
		return fmt.Errorf("unknown rule %q: want %s, or none", s, BaseURLResource)
	}
	return nil
}
