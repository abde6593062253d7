package provider

import (
	"slices"
	"time"

	"github.com/usherauth/usher/oauth"
)

// Provider is one place where logins happen. It is a plain value: changing a
// copy changes nothing else, and [Catalogue] hands out copies.
type Provider struct {
	// Name is what keys and files call it.
	Name string
	// Title is its name for people, never empty.
	Title string
	// Note is a sentence to know before using it, or empty.
	Note string
	// Preset reports whether the program brings a provider of this name.
	Preset bool
	// Base names the preset that the user's file builds on, also where the file
	// overrides the preset of its own name; empty without such a file.
	Base string
	// Path is the user's file, or empty for a preset as it comes.
	Path string
	// Overridden are the keys (those of [Settings]) that the user's file gives
	// on top of Base, in the order of the fields.
	Overridden []string

	// Issuer is where endpoints are discovered (RFC 8414), or empty.
	Issuer string
	// Endpoints are those that are configured. They win over discovered ones,
	// field by field; see [Resolver.Resolve]. Endpoints.Issuer is Issuer.
	Endpoints oauth.Endpoints
	// ClientID is the OAuth client; empty until the user brings one.
	ClientID string
	// ClientIDHelp tells where to get one, or is empty.
	ClientIDHelp string
	// ClientSecretFile is the path of the file with the client secret, or empty
	// for a public client; see [Provider.ClientSecret].
	ClientSecretFile string
	// AuthStyle is the configured way of client authentication. Empty means
	// none for a public client; with a secret it means basic, which every server
	// must support (RFC 6749 section 2.3.1), unless the server's metadata lists
	// post and not basic.
	AuthStyle oauth.AuthStyle
	// RedirectURIs are those that a login of method code may use besides any
	// port of a loopback address; the first one is the default, if there is one.
	RedirectURIs []string
	// Scopes are what a login asks for; a server's default scopes if empty.
	Scopes []string
	// Dialect names the server's known deviations, never empty.
	Dialect oauth.Dialect
	// Resource is the resource indicator (RFC 8707) to ask for, or empty.
	Resource string
	// PollInterval is the least time between two polls, 0 to leave it to the
	// server. The longer one of the two stands.
	PollInterval time.Duration
	// KeepAlive is how long a refresh token lives that is not used, 0 if it is
	// not known to end so.
	KeepAlive time.Duration
	// ShareWith names the tool, as package share knows it, whose file a
	// credential of account default is kept in step with; empty for none.
	ShareWith string
	// TellContext lets a login tell the server who asks, as the parameter
	// usher_context.
	TellContext bool
	// BaseURL is where API calls go, or empty if that is not known.
	BaseURL string
	// BaseURLRule says whether the server may name another place than BaseURL.
	BaseURLRule BaseURLRule
	// TokenEnv are the variables in which programs look for a token, at least
	// one unless the user wants none.
	TokenEnv []string
	// BaseURLEnv are those in which they look for where API calls go. A program
	// that gets a token by TokenEnv must get these as well: without them it
	// would send the token to some other server.
	BaseURLEnv []string
	// GitHosts are the hosts, with a port where there is one, that git may send
	// a token to; to no other.
	GitHosts []string
	// GitUsername is the user name that goes with it, or empty.
	GitUsername string
	// DockerHosts are the registries that may get a token, and no other.
	DockerHosts []string
	// DockerUsername is the user name that goes with it, or empty.
	DockerUsername string
}

// provider turns valid settings into the provider called name.
func (s Settings) provider(name string) Provider {
	// They were validated, and the empty string is the default of a dialect.
	dialect, _ := oauth.ParseDialect(s.Dialect)
	keepAlive, _ := parseSpan(s.KeepAlive)
	p := Provider{
		Name:   name,
		Title:  s.Title,
		Note:   s.Note,
		Issuer: s.Issuer,
		Endpoints: oauth.Endpoints{
			Issuer:              s.Issuer,
			DeviceAuthorization: s.DeviceAuthorizationEndpoint,
			Authorization:       s.AuthorizationEndpoint,
			Token:               s.TokenEndpoint,
			Revocation:          s.RevocationEndpoint,
			Userinfo:            s.UserinfoEndpoint,
		},
		ClientID:         s.ClientID,
		ClientIDHelp:     s.ClientIDHelp,
		ClientSecretFile: s.ClientSecretFile,
		AuthStyle:        oauth.AuthStyle(s.AuthStyle),
		RedirectURIs:     slices.Clone(s.RedirectURIs),
		Scopes:           slices.Clone(s.Scopes),
		Dialect:          dialect,
		Resource:         s.Resource,
		PollInterval:     time.Duration(s.PollInterval) * time.Second,
		KeepAlive:        keepAlive,
		ShareWith:        s.ShareWith,
		TellContext:      s.TellContext,
		BaseURL:          s.BaseURL,
		BaseURLRule:      BaseURLRule(s.BaseURLRule),
		TokenEnv:         slices.Clone(s.TokenEnv),
		BaseURLEnv:       slices.Clone(s.BaseURLEnv),
		GitHosts:         slices.Clone(s.GitHosts),
		GitUsername:      s.GitUsername,
		DockerHosts:      slices.Clone(s.DockerHosts),
		DockerUsername:   s.DockerUsername,
	}
	if p.TokenEnv == nil {
		p.TokenEnv = []string{defaultTokenEnv(name)}
	}
	if p.Title == "" {
		p.Title = name
	}
	if p.ShareWith == noTool {
		p.ShareWith = ""
	}
	return p
}

// clone is p with slices of its own.
func (p Provider) clone() Provider {
	for _, list := range []*[]string{
		&p.Overridden, &p.Scopes, &p.RedirectURIs, &p.TokenEnv, &p.BaseURLEnv, &p.GitHosts, &p.DockerHosts,
	} {
		*list = slices.Clone(*list)
	}
	return p
}

// Check reports whether p has all that a login needs besides what discovery
// finds. The error is an *[IncompleteError].
func (p Provider) Check() error {
	if p.ClientID == "" {
		return &IncompleteError{Provider: p.Name, Missing: "client_id", Help: p.ClientIDHelp}
	}
	return nil
}

// Methods names the ways to log in that p allows for, "device" and "code": by
// an endpoint that is configured, or one that its issuer may publish.
func (p Provider) Methods() []string {
	var methods []string
	if p.Issuer != "" || p.Endpoints.DeviceAuthorization != "" {
		methods = append(methods, "device")
	}
	if p.Issuer != "" || p.Endpoints.Authorization != "" {
		methods = append(methods, "code")
	}
	return methods
}
