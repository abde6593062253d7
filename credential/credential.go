package credential

import (
	"slices"
	"time"

	"github.com/usherauth/usher/secret"
)

// Kind says how a credential is renewed.
type Kind string

// The kinds of credential.
const (
	Refreshable Kind = "refreshable" // tokens of a login, renewed by refresh token
	Static      Kind = "static"      // an API key; never renewed
	Minted      Kind = "minted"      // obtained anew without a person
)

// State says whether a credential can still yield tokens.
type State string

// The states of a credential. A credential that needs a login keeps its bytes.
const (
	Active     State = "active"
	NeedsLogin State = "needs_login"
)

// Cause says why a credential needs a login. The zero Cause belongs to
// [Active] credentials.
type Cause string

// The causes of [NeedsLogin].
const (
	// CauseRefused: the provider answered invalid_grant to the newest refresh token.
	CauseRefused Cause = "refresh_refused"
	// CauseNoRefreshToken: the access token ended and there is nothing to renew it with.
	CauseNoRefreshToken Cause = "no_refresh_token"
	// CauseProviderChanged: issuer or client id of the configuration no longer match the binding.
	CauseProviderChanged Cause = "provider_changed"
	// CauseAnswerLost: the provider refuses the newest refresh token that arrived,
	// after an answer that may have held a newer one was lost.
	CauseAnswerLost Cause = "answer_lost"
)

// Instant is a moment on two clocks. Wall time survives restarts but can be
// set; boot time cannot be set, counts through suspend, and means something
// only within the boot that BootID names.
type Instant struct {
	Wall   time.Time
	Boot   time.Duration
	BootID string
}

// Share says that another tool keeps the same tokens in a file of its own, and
// refreshes them as well. The zero Share is that of credentials that are ours
// alone.
type Share struct {
	// Tool names the other tool, as package share knows it; empty for none.
	Tool string
	// Seen are digests of the refresh tokens that the tool's file held when it was
	// read or written, and of those that the credential had, the newest first,
	// separated by spaces: a file with another one, that is not the credential's
	// own, was changed by the tool.
	Seen string
}

// Credential is one stored credential. Values are copied freely; slices in it
// are never written after it was stored.
type Credential struct {
	Key     Key
	Kind    Kind
	Binding Binding

	// Grant is the id of the login that produced the credential.
	Grant string
	// Generation counts the stored changes of the key. It never goes back,
	// not even over a logout. Stores assign it.
	Generation uint64

	State State
	Cause Cause

	AccessToken  secret.String
	RefreshToken secret.String
	IDToken      secret.String
	TokenType    string
	Scopes       []string
	// ResourceURL is where API calls go, when the provider said so.
	ResourceURL string
	// Extra is the JSON object of the token answer's other members, kept over
	// refreshes that omit them; empty if there were none.
	Extra secret.String

	// Alias labels the account without personal data: "acct-" and six
	// characters; empty if the provider did not say who it is.
	Alias string

	// Received is when the newest token answer arrived.
	Received Instant
	// Lifetime is what that answer promised for the access token; 0 means it
	// promised nothing, and then only a refusal ends the token.
	Lifetime time.Duration
	// RefreshExpiresAt is the known end of the refresh token; zero if unknown.
	RefreshExpiresAt time.Time
	// RefreshedAt is the last refresh that succeeded; zero before the first.
	RefreshedAt time.Time
	// Share is set while the tokens are shared with another tool.
	Share Share
	// HoldOffUntil bars a further rotation until then, after a crash may have
	// left a refresh request travelling; zero for none.
	HoldOffUntil time.Time

	// Unknown is the JSON object of what a later version of usher stored with
	// the credential and this one does not understand: it is kept for as long
	// as the login lasts. Empty if there is nothing.
	Unknown secret.String
}

// ExpiresAt is the wall time at which the access token ends, or the zero time
// if the provider promised no lifetime.
func (c Credential) ExpiresAt() time.Time {
	if c.Lifetime <= 0 {
		return time.Time{}
	}
	return c.Received.Wall.Add(c.Lifetime)
}

// Equal reports whether c and o hold the same values, secrets included.
func (c Credential) Equal(o Credential) bool {
	return c.Key == o.Key && c.Kind == o.Kind && c.Binding == o.Binding &&
		c.Grant == o.Grant && c.Generation == o.Generation &&
		c.State == o.State && c.Cause == o.Cause &&
		c.AccessToken.Equal(o.AccessToken) && c.RefreshToken.Equal(o.RefreshToken) &&
		c.IDToken.Equal(o.IDToken) && c.TokenType == o.TokenType &&
		slices.Equal(c.Scopes, o.Scopes) && c.ResourceURL == o.ResourceURL &&
		c.Extra.Equal(o.Extra) && c.Alias == o.Alias &&
		c.Received.Wall.Equal(o.Received.Wall) && c.Received.Boot == o.Received.Boot &&
		c.Received.BootID == o.Received.BootID && c.Lifetime == o.Lifetime &&
		c.RefreshExpiresAt.Equal(o.RefreshExpiresAt) && c.RefreshedAt.Equal(o.RefreshedAt) &&
		c.Share == o.Share && c.HoldOffUntil.Equal(o.HoldOffUntil) && c.Unknown.Equal(o.Unknown)
}
