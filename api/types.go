package api

import "time"

// Version is the version of the native surface and the prefix of its paths.
const Version = "v1"

// The statuses of a [Login].
const (
	LoginPending    = "pending"
	LoginAuthorized = "authorized"
	LoginDenied     = "denied"
	LoginExpired    = "expired"
	LoginFailed     = "failed"
	LoginCancelled  = "cancelled"
)

// The methods of a [Login].
const (
	MethodDevice = "device" // RFC 8628
	MethodCode   = "code"   // RFC 6749 section 4.1 with PKCE
)

// The states of a [Credential].
const (
	StateActive     = "active"
	StateNeedsLogin = "needs_login"
)

// Login is one attempt to obtain a credential.
type Login struct {
	ID       string `json:"id"`
	Key      string `json:"key"`
	Provider string `json:"provider"`
	Account  string `json:"account"`
	Method   string `json:"method"`
	Status   string `json:"status"`
	// Attached tells, in the answer to a start, that the login was already
	// pending and has been joined.
	Attached bool     `json:"attached,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
	// Origin says who asked, as user@host, for the person who approves.
	Origin string `json:"origin,omitempty"`

	// Initiator is the name of who started the login: that of a [Caller], or a
	// client id of the compatible surface.
	Initiator string `json:"-"`

	// The code and links stand only while the login is pending, and only in
	// answers to its initiator: a user code and where to enter it by method
	// device, the link to log in at by method code.
	UserCode                string `json:"user_code,omitempty"`
	VerificationURI         string `json:"verification_uri,omitempty"`
	VerificationURIComplete string `json:"verification_uri_complete,omitempty"`
	AuthorizationURI        string `json:"authorization_uri,omitempty"`

	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Interval is the time between polls of the provider, in seconds; absent
	// by method code.
	Interval int `json:"interval,omitempty"`
	// LastPolledAt and NextPollAt are when the provider was asked last, and when
	// it will be, by the process that polls; absent where that is not known, as
	// of another process.
	LastPolledAt time.Time `json:"last_polled_at,omitzero"`
	NextPollAt   time.Time `json:"next_poll_at,omitzero"`
	// Throttled tells that the provider has asked to be polled more slowly.
	Throttled bool      `json:"throttled,omitempty"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	// Trouble is what keeps a pending login from progress, such as
	// "provider_unreachable"; empty while all is well.
	Trouble string `json:"trouble,omitempty"`
	// Error explains every end but authorized.
	Error *Failure `json:"error,omitempty"`
	// Credential is what an authorized login stored.
	Credential *Credential `json:"credential,omitempty"`
}

// Ended reports whether the login will not change any more.
func (l Login) Ended() bool { return l.Status != LoginPending }

// Public is the login as lists, events and watchers see it: without the user
// code and the links.
func (l Login) Public() Login {
	l.UserCode, l.VerificationURI, l.VerificationURIComplete, l.AuthorizationURI = "", "", "", ""
	return l
}

// Failure says why something did not happen: a stable code and a sentence for
// a person. It never holds provider text.
type Failure struct {
	Code Code   `json:"code"`
	Hint string `json:"hint,omitempty"`
}

// StartLogin asks for a login.
type StartLogin struct {
	Key string `json:"key"`
	// Method is "device" or "code"; empty is device where the provider has it,
	// and else code. A pending login of another method is not joined.
	Method string `json:"method,omitempty"`
	// RedirectURI is where the browser is sent in the end of a login by method
	// code, or one that comes to be of it: a loopback address of the client's, or
	// what the provider's file allows.
	// Empty leaves it to the daemon; then the address that the browser shows
	// is to be brought back.
	RedirectURI string `json:"redirect_uri,omitempty"`
	// Scopes replaces the provider's configured scopes; empty keeps them.
	Scopes []string `json:"scopes,omitempty"`
	// ShareWith names the tool whose own credential file is kept in step with
	// this credential: "qwen", or [ShareNone]. Empty leaves it as it was, or as
	// the provider's configuration says.
	ShareWith string `json:"share_with,omitempty"`
	// Origin says who asks, as user@host; the daemon fills it for its own user.
	Origin string `json:"origin,omitempty"`

	// ClientID is who asks, by the client id header; empty is anonymous. It
	// attributes and authenticates nobody.
	ClientID string `json:"-"`
	// Trace is the trace id that the audit log shows with the login: 32 hex
	// digits (W3C Trace Context); empty makes one of the login's id.
	Trace string `json:"-"`
	// Owner tells that the daemon's own user asks, as in [Caller].
	Owner bool `json:"-"`
}

// ShareNone, as [StartLogin.ShareWith], shares the credential with no tool.
const ShareNone = "none"

// Caller is who asks, on the native surface.
func (r StartLogin) Caller() Caller { return Caller{ClientID: r.ClientID, Owner: r.Owner} }

// CompleteLogin brings the answer of the authorization endpoint for a login of
// method code (RFC 6749 section 4.1.2): either the whole URL that the browser
// was sent to, or its parameters.
type CompleteLogin struct {
	RedirectedURL string `json:"redirected_url,omitempty"`
	Code          string `json:"code,omitempty"`
	State         string `json:"state,omitempty"`
	// ISS is the parameter iss of RFC 9207, if there was one.
	ISS string `json:"iss,omitempty"`
}

// String keeps the code out of formatted output.
func (CompleteLogin) String() string { return "[authorization response]" }

// GoString keeps the code out of %#v.
func (CompleteLogin) GoString() string { return "api.CompleteLogin{[authorization response]}" }

// Credential is the public view of a stored credential. It holds no secret.
type Credential struct {
	Key      string   `json:"key"`
	Provider string   `json:"provider"`
	Account  string   `json:"account"`
	Kind     string   `json:"kind"`
	Alias    string   `json:"alias,omitempty"`
	State    string   `json:"state"`
	Cause    string   `json:"cause,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
	// ExpiresAt is the end of the access token; absent if the provider named none.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// RefreshedAt is the last refresh; absent before the first.
	RefreshedAt time.Time `json:"refreshed_at,omitzero"`
	Generation  uint64    `json:"generation"`
	// NeedsLoginBy is when a person will be needed, where that is known.
	NeedsLoginBy time.Time `json:"needs_login_by,omitzero"`
	// ShareWith names the tool that keeps the same tokens in a file of its own.
	ShareWith string `json:"share_with,omitempty"`
}

// Token is an access token, where the token is what was asked for.
type Token struct {
	AccessToken string    `json:"access_token"`
	TokenType   string    `json:"token_type"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	Scopes      []string  `json:"scopes,omitempty"`
	// BaseURL is where API calls with this token go, when it is known.
	BaseURL string `json:"base_url,omitempty"`
	// Moved tells that the provider's settings have come to name another server
	// than the one that this token is of: where they say that tokens go, this one
	// must not. It has no BaseURL then.
	Moved bool `json:"moved,omitempty"`
	// Short tells that even a fresh token has less life than was asked for.
	Short bool `json:"short,omitempty"`
}

// String keeps the token out of formatted output.
func (Token) String() string { return "[token]" }

// GoString keeps the token out of %#v.
func (Token) GoString() string { return "api.Token{[token]}" }

// TokenRequest asks for a usable access token.
type TokenRequest struct {
	Key string `json:"key"`
	// MinTTL is the life the token must still have, in seconds; 0 leaves it to usher.
	MinTTL int `json:"min_ttl,omitempty"`
	// Rejected is an access token that a server answered 401 to. If it is still
	// the one of Key, it is renewed first, unless that was done just now.
	Rejected string `json:"rejected,omitempty"`
}

// String keeps the rejected token out of formatted output.
func (r TokenRequest) String() string { return "[token of " + r.Key + "]" }

// GoString keeps the rejected token out of %#v.
func (r TokenRequest) GoString() string { return "api.TokenRequest{" + r.Key + "}" }

// LogoutRequest asks to log out of a key.
type LogoutRequest struct {
	Key string `json:"key"`
	// KeepRemote skips the revocation at the provider.
	KeepRemote bool `json:"keep_remote,omitempty"`
}

// Logout tells what a logout did.
type Logout struct {
	Key string `json:"key"`
	// Removed tells that a credential was there and is gone.
	Removed bool `json:"removed"`
	// Revocation is "revoked", "unsupported" (the provider has no endpoint),
	// "kept" (asked to keep), "nothing" (there was no token) or "failed".
	Revocation string `json:"revocation"`
	// Error explains what could not be done: a failed revocation, of a token of
	// an earlier login too, or a file of another tool's that may still have the
	// tokens.
	Error *Failure `json:"error,omitempty"`
	// Unshared names the tool whose file had the same tokens and has them no
	// longer.
	Unshared string `json:"unshared,omitempty"`
	// CancelledLogin is the id of a pending login that was cancelled with it.
	CancelledLogin string `json:"cancelled_login,omitempty"`
}

// The results of [Logout.Revocation].
const (
	RevocationRevoked     = "revoked"
	RevocationUnsupported = "unsupported"
	RevocationKept        = "kept"
	RevocationNothing     = "nothing"
	RevocationFailed      = "failed"
)

// Provider is where logins happen, as people and programs see it.
type Provider struct {
	Name     string   `json:"name"`
	Title    string   `json:"title,omitempty"`
	Methods  []string `json:"methods"`
	Scopes   []string `json:"scopes,omitempty"`
	ClientID string   `json:"client_id,omitempty"`
	// Ready tells that a login can start; else Missing says what is not set.
	Ready   bool     `json:"ready"`
	Missing []string `json:"missing,omitempty"`
	Help    string   `json:"help,omitempty"`
}

// The types of [Event].
const (
	EventLoginStarted             = "login.started"
	EventLoginThrottled           = "login.throttled"
	EventLoginAuthorized          = "login.authorized"
	EventLoginDenied              = "login.denied"
	EventLoginExpired             = "login.expired"
	EventLoginFailed              = "login.failed"
	EventLoginCancelled           = "login.cancelled"
	EventCredentialStored         = "credential.stored"
	EventCredentialRefreshed      = "credential.refreshed"
	EventCredentialNeedsLogin     = "credential.needs_login"
	EventCredentialAccountChanged = "credential.account_changed"
	EventCredentialRemoved        = "credential.removed"
	// The tool that shares the credential had removed its file, and has it back.
	EventCredentialShareRestored = "credential.share_restored"
	EventStreamResync            = "stream.resync"
)

// Event is one thing that happened. It holds no secret, user code or link.
type Event struct {
	// ID is "<epoch>-<seq>": seq grows by one within an epoch, which lasts as
	// long as the process that numbers them.
	ID         string      `json:"id"`
	Time       time.Time   `json:"time"`
	Type       string      `json:"type"`
	Login      *Login      `json:"login,omitempty"`
	Credential *Credential `json:"credential,omitempty"`
}

// Health is the answer of /health.
type Health struct {
	Status string `json:"status"`
}
