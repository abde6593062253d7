package credential

import (
	"net/http"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// Binding is the set of facts a login or a credential was made with. It never
// changes afterwards: polling, refresh and revocation use the binding alone,
// so that no later change of configuration or metadata can send a secret to
// another place. Bindings are comparable.
type Binding struct {
	// Endpoints are the provider's, resolved when the login started.
	Endpoints oauth.Endpoints
	// ClientID is the OAuth client the tokens belong to.
	ClientID string
	// AuthStyle is how the client authenticates; never probed.
	AuthStyle oauth.AuthStyle
	// Dialect names the provider's known deviations.
	Dialect oauth.Dialect
	// Resource is the RFC 8707 resource asked for; empty for none.
	Resource string
}

// Client is the protocol client for this binding. hc nil means the hardened
// default; the client secret is the only part that configuration adds.
func (b Binding) Client(hc *http.Client, clientSecret secret.String) *oauth.Client {
	return &oauth.Client{
		HTTP:      hc,
		Endpoints: b.Endpoints,
		ID:        b.ClientID,
		Secret:    clientSecret,
		AuthStyle: b.AuthStyle,
		Dialect:   b.Dialect,
		Resource:  b.Resource,
	}
}

// SameClient reports whether b and o name the same client at the same server,
// which is the condition for using o's client secret with b.
func (b Binding) SameClient(o Binding) bool {
	return b.ClientID == o.ClientID && b.SameServer(o.Endpoints)
}

// SameServer reports whether b is of the server that has the endpoints o, which
// is the condition for sending b's tokens where the configuration of o says.
// Servers without an issuer are told apart by their token endpoint.
func (b Binding) SameServer(o oauth.Endpoints) bool {
	if b.Endpoints.Issuer != o.Issuer {
		return false
	}
	return o.Issuer != "" || b.Endpoints.Token == o.Token
}
