package provider

import (
	"reflect"
	"slices"

	"github.com/usherauth/usher/internal/conffile"
)

// Settings are what the file of a provider says, under the keys of the toml
// tags. An empty string or 0 counts as not given; an empty array is given: of
// scopes, it means that none are asked for.
type Settings struct {
	// Base names the preset whose settings are the defaults of this one's. A
	// file named like a preset has that preset as its base and says nothing.
	Base string `toml:"base,omitempty"`
	// Title is the provider's name for people; empty means its name.
	Title string `toml:"title,omitempty"`
	// Note is a sentence that a person should know before using it.
	Note string `toml:"note,omitempty"`
	// Issuer is the authorization server's identifier (RFC 8414 section 2).
	// Endpoints that are not given are discovered there.
	Issuer string `toml:"issuer,omitempty"`
	// DeviceAuthorizationEndpoint is that of RFC 8628 section 3.1.
	DeviceAuthorizationEndpoint string `toml:"device_authorization_endpoint,omitempty"`
	// AuthorizationEndpoint is that of RFC 6749 section 3.1.
	AuthorizationEndpoint string `toml:"authorization_endpoint,omitempty"`
	// TokenEndpoint is that of RFC 6749 section 3.2.
	TokenEndpoint string `toml:"token_endpoint,omitempty"`
	// RevocationEndpoint is that of RFC 7009 section 2.
	RevocationEndpoint string `toml:"revocation_endpoint,omitempty"`
	// UserinfoEndpoint is that of OpenID Connect Core section 5.3.
	UserinfoEndpoint string `toml:"userinfo_endpoint,omitempty"`
	// ClientID is the OAuth client (RFC 6749 section 2.2).
	ClientID string `toml:"client_id,omitempty"`
	// ClientIDHelp tells where to get a client id.
	ClientIDHelp string `toml:"client_id_help,omitempty"`
	// ClientSecretFile is the absolute path of a file that holds the client
	// secret and nothing else. The secret itself never stands here.
	ClientSecretFile string `toml:"client_secret_file,omitempty"`
	// AuthStyle is none, post or basic (see [oauth.AuthStyle]). It is never
	// probed; without it, see [Provider.AuthStyle].
	AuthStyle string `toml:"auth_style,omitempty"`
	// RedirectURIs are where a login of method code may have the browser sent
	// (RFC 6749 section 3.1.2), besides any port of a loopback address; the
	// first one stands where a login names none. A server that does not let
	// clients choose their port (RFC 8252 section 7.3) needs one.
	RedirectURIs []string `toml:"redirect_uris,omitempty"`
	// Scopes are what a login asks for (RFC 6749 section 3.3).
	Scopes []string `toml:"scopes,omitempty"`
	// Dialect names the server's known deviations (see [oauth.Dialect]); empty
	// means standard.
	Dialect string `toml:"dialect,omitempty"`
	// Resource is the resource indicator (RFC 8707 section 2) to ask for.
	Resource string `toml:"resource,omitempty"`
	// PollInterval, in seconds, is the least time between two polls. It only
	// slows down: a longer interval that the server asks for stands.
	PollInterval int `toml:"poll_interval,omitempty"`
	// KeepAlive is how long a refresh token lives that is not used: a whole
	// number and d, h or m, such as 90d. Empty means that it is not known to end
	// so. A daemon then refreshes in time what nobody uses.
	KeepAlive string `toml:"keep_alive,omitempty"`
	// ShareWith names the tool that keeps the tokens of this provider in a file
	// of its own (see package share): what logs in then is kept in step with
	// that file. "none" is for overriding a preset that has one; what has a
	// preset of another name as its base does not get it from there.
	ShareWith string `toml:"share_with,omitempty"`
	// TellContext lets a login tell the server which user on which machine
	// asks, for its page to show to the person who approves (RFC 10027). It
	// goes out as the parameter usher_context, so it is off but for servers
	// that are known to show it.
	TellContext bool `toml:"tell_context,omitempty"`
	// BaseURL is where API calls with the access token go.
	BaseURL string `toml:"base_url,omitempty"`
	// BaseURLRule is empty or resource_url, see [BaseURLRule].
	BaseURLRule string `toml:"base_url_rule,omitempty"`
	// TokenEnv are the variables in which programs look for a token of this
	// provider. Without them it is NAME_TOKEN, from the provider's name.
	TokenEnv []string `toml:"token_env,omitempty"`
	// BaseURLEnv are the variables in which such programs look for where API
	// calls go. Where they are given, no program gets a token without them.
	BaseURLEnv []string `toml:"base_url_env,omitempty"`
	// GitHosts are where git may send a token of this provider: host or
	// host:port, as in the address of a repository. They are compared exactly.
	GitHosts []string `toml:"git_hosts,omitempty"`
	// GitUsername is the user name that goes with it.
	GitUsername string `toml:"git_username,omitempty"`
	// DockerHosts are the registries that may get a token of this provider, as
	// GitHosts.
	DockerHosts []string `toml:"docker_hosts,omitempty"`
	// DockerUsername is the user name that goes with it.
	DockerUsername string `toml:"docker_username,omitempty"`
}

// over returns base with everything that s gives laid over it, and the keys
// that s gives in the order of the fields. Base itself is kept from s.
func (s Settings) over(base Settings) (merged Settings, given []string) {
	if s.relocates() {
		base.Issuer, base.BaseURL = "", ""
		base.DeviceAuthorizationEndpoint, base.AuthorizationEndpoint, base.TokenEndpoint = "", "", ""
		base.RevocationEndpoint, base.UserinfoEndpoint = "", ""
		base.KeepAlive = ""
		// Programs that look into these variables know where their server is.
		base.TokenEnv, base.BaseURLEnv = nil, nil
		base.GitHosts, base.DockerHosts = nil, nil
	}
	merged = base
	merged.Base = ""
	from, to := reflect.ValueOf(s), reflect.ValueOf(&merged).Elem()
	for i := range from.NumField() {
		if list, ok := to.Field(i).Interface().([]string); ok {
			to.Field(i).Set(reflect.ValueOf(slices.Clone(list))) // base keeps its own
		}
		if from.Field(i).IsZero() {
			continue
		}
		to.Field(i).Set(from.Field(i))
		if key := conffile.Key(from.Type().Field(i)); key != "base" {
			given = append(given, key)
		}
	}
	return merged, given
}

// lent is what providers of another name take from the preset s. Not so its
// tool: that keeps the tokens of one provider.
func (s Settings) lent() Settings {
	s.ShareWith = ""
	return s
}

// relocates reports whether s says in full where the server is.
func (s Settings) relocates() bool {
	return s.Issuer != "" || s.TokenEndpoint != "" && (s.DeviceAuthorizationEndpoint != "" || s.AuthorizationEndpoint != "")
}
