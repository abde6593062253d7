package credential

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// The stored forms. They alone carry secrets in the clear, which is why they
// are separate types: a Credential or Login handed to a JSON encoder shows
// none. Fields are only ever added; those of a credential that this version does
// not know are kept, other unknown ones are ignored on reading.

const storedVersion = 1

// ErrVersion is wrapped by the error for a stored form that a later version of
// usher wrote. It is not damaged, and must be neither replaced nor worked
// around.
var ErrVersion = errors.New("written by a later version of usher")

type storedBinding struct {
	Issuer              string `json:"issuer,omitempty"`
	DeviceAuthorization string `json:"device_authorization_endpoint,omitempty"`
	Authorization       string `json:"authorization_endpoint,omitempty"`
	Token               string `json:"token_endpoint"`
	Revocation          string `json:"revocation_endpoint,omitempty"`
	Userinfo            string `json:"userinfo_endpoint,omitempty"`
	RequireISS          bool   `json:"require_iss,omitempty"`
	ClientID            string `json:"client_id"`
	AuthStyle           string `json:"auth_style"`
	Dialect             string `json:"dialect"`
	Resource            string `json:"resource,omitempty"`
}

type storedInstant struct {
	Wall   time.Time     `json:"wall"`
	Boot   time.Duration `json:"boot_ns,omitempty"`
	BootID string        `json:"boot_id,omitempty"`
}

type storedCredential struct {
	Version          int             `json:"v"`
	Provider         string          `json:"provider"`
	Account          string          `json:"account"`
	Kind             Kind            `json:"kind"`
	Binding          storedBinding   `json:"binding"`
	Grant            string          `json:"grant,omitempty"`
	Generation       uint64          `json:"generation"`
	Deleted          bool            `json:"deleted,omitempty"`
	State            State           `json:"state,omitempty"`
	Cause            Cause           `json:"cause,omitempty"`
	AccessToken      string          `json:"access_token,omitempty"`
	RefreshToken     string          `json:"refresh_token,omitempty"`
	IDToken          string          `json:"id_token,omitempty"`
	TokenType        string          `json:"token_type,omitempty"`
	Scopes           []string        `json:"scopes,omitempty"`
	ResourceURL      string          `json:"resource_url,omitempty"`
	Extra            json.RawMessage `json:"extra,omitempty"`
	Alias            string          `json:"alias,omitempty"`
	Received         storedInstant   `json:"received"`
	Lifetime         time.Duration   `json:"lifetime_ns,omitempty"`
	RefreshExpiresAt time.Time       `json:"refresh_expires_at,omitzero"`
	RefreshedAt      time.Time       `json:"refreshed_at,omitzero"`
	HoldOffUntil     time.Time       `json:"hold_off_until,omitzero"`
	ShareWith        string          `json:"share_with,omitempty"`
	ShareSeen        string          `json:"share_seen,omitempty"`
	unknown          json.RawMessage // an object, or nil
}

// Tombstone is what remains of a deleted credential: enough to keep its
// generation from going back and to recognise a late write of its grant. One of
// generation 0 says that nothing was ever stored.
type Tombstone struct {
	Key        Key
	Grant      string
	Generation uint64
}

// Encode returns the stored form of c, secrets included. It is for stores.
func Encode(c Credential) ([]byte, error) {
	s, err := storeCredential(c)
	if err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// EncodeTombstone returns the stored form of t.
func EncodeTombstone(t Tombstone) ([]byte, error) {
	return json.Marshal(storedCredential{
		Version: storedVersion, Deleted: true,
		Provider: t.Key.Provider, Account: t.Key.Account,
		Grant: t.Grant, Generation: t.Generation,
	})
}

// Decode reads what [Encode] or [EncodeTombstone] wrote: exactly one of the
// results is set. Errors never quote the content.
func Decode(data []byte) (*Credential, *Tombstone, error) {
	var s storedCredential
	if err := unmarshal(data, &s); err != nil {
		return nil, nil, fmt.Errorf("decoding credential: %w", err)
	}
	key, err := s.key()
	if err != nil {
		return nil, nil, fmt.Errorf("decoding credential: %w", err)
	}
	if s.Deleted {
		return nil, &Tombstone{Key: key, Grant: s.Grant, Generation: s.Generation}, nil
	}
	if s.Generation == 0 {
		return nil, nil, fmt.Errorf("decoding credential %s: no generation", key)
	}
	c, err := s.load()
	if err != nil {
		return nil, nil, fmt.Errorf("decoding credential %s: %w", key, err)
	}
	return c, nil, nil
}

// unmarshal decodes without letting the content into the error: the messages
// of encoding/json can quote a value.
func unmarshal(data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		var later struct {
			Version int `json:"v"`
		}
		if json.Unmarshal(data, &later) == nil && later.Version > storedVersion {
			return ErrVersion
		}
		return fmt.Errorf("not the JSON that usher writes (%d bytes)", len(data))
	}
	return nil
}

func (s *storedCredential) key() (Key, error) {
	switch {
	case s.Version > storedVersion:
		return Key{}, fmt.Errorf("unknown format version %d: %w", s.Version, ErrVersion)
	case s.Version != storedVersion:
		return Key{}, fmt.Errorf("unknown format version %d", s.Version)
	}
	return ParseKey(s.Provider + "/" + s.Account)
}

func storeCredential(c Credential) (storedCredential, error) {
	extra, err := rawJSON(c.Extra)
	if err != nil {
		return storedCredential{}, fmt.Errorf("encoding credential %s: Extra: %w", c.Key, err)
	}
	unknown, err := rawJSON(c.Unknown)
	if err != nil {
		return storedCredential{}, fmt.Errorf("encoding credential %s: Unknown: %w", c.Key, err)
	}
	return storedCredential{
		Version: storedVersion, Provider: c.Key.Provider, Account: c.Key.Account,
		Kind: c.Kind, Binding: storeBinding(c.Binding), Grant: c.Grant, Generation: c.Generation,
		State: c.State, Cause: c.Cause,
		AccessToken: c.AccessToken.Reveal(), RefreshToken: c.RefreshToken.Reveal(), IDToken: c.IDToken.Reveal(),
		TokenType: c.TokenType, Scopes: c.Scopes, ResourceURL: c.ResourceURL, Extra: extra, Alias: c.Alias,
		Received: storedInstant(c.Received), Lifetime: c.Lifetime,
		RefreshExpiresAt: c.RefreshExpiresAt, RefreshedAt: c.RefreshedAt, HoldOffUntil: c.HoldOffUntil,
		ShareWith: c.Share.Tool, ShareSeen: c.Share.Seen, unknown: unknown,
	}, nil
}

// rawJSON is s as it is, nil if it is empty.
func rawJSON(s secret.String) (json.RawMessage, error) {
	if s.IsZero() {
		return nil, nil
	}
	raw := json.RawMessage(s.Reveal())
	if !json.Valid(raw) {
		return nil, errors.New("not JSON")
	}
	return raw, nil
}

func (s *storedCredential) load() (*Credential, error) {
	key, err := s.key()
	if err != nil {
		return nil, err
	}
	return &Credential{
		Key: key, Kind: s.Kind, Binding: s.Binding.load(), Grant: s.Grant, Generation: s.Generation,
		State: s.State, Cause: s.Cause,
		AccessToken: secret.New(s.AccessToken), RefreshToken: secret.New(s.RefreshToken), IDToken: secret.New(s.IDToken),
		TokenType: s.TokenType, Scopes: s.Scopes, ResourceURL: s.ResourceURL, Extra: secret.New(string(s.Extra)), Alias: s.Alias,
		Received: Instant(s.Received), Lifetime: s.Lifetime,
		RefreshExpiresAt: s.RefreshExpiresAt, RefreshedAt: s.RefreshedAt, HoldOffUntil: s.HoldOffUntil,
		Share: Share{Tool: s.ShareWith, Seen: s.ShareSeen}, Unknown: secret.New(string(s.unknown)),
	}, nil
}

func storeBinding(b Binding) storedBinding {
	e := b.Endpoints
	return storedBinding{
		Issuer: e.Issuer, DeviceAuthorization: e.DeviceAuthorization, Authorization: e.Authorization,
		Token: e.Token, Revocation: e.Revocation, Userinfo: e.Userinfo, RequireISS: e.RequireISS,
		ClientID: b.ClientID, AuthStyle: string(b.AuthStyle), Dialect: string(b.Dialect), Resource: b.Resource,
	}
}

func (s storedBinding) load() Binding {
	return Binding{
		Endpoints: oauth.Endpoints{
			Issuer: s.Issuer, DeviceAuthorization: s.DeviceAuthorization, Authorization: s.Authorization,
			Token: s.Token, Revocation: s.Revocation, Userinfo: s.Userinfo, RequireISS: s.RequireISS,
		},
		ClientID: s.ClientID, AuthStyle: oauth.AuthStyle(s.AuthStyle), Dialect: oauth.Dialect(s.Dialect), Resource: s.Resource,
	}
}
