package filestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/secret"
)

// storedRegistration is the stored form of a client registration, which alone
// carries its secrets in the clear.
type storedRegistration struct {
	Version                 int    `json:"v"`
	Issuer                  string `json:"issuer"`
	Redirects               string `json:"redirects"`
	ClientID                string `json:"client_id"`
	ClientSecret            string `json:"client_secret,omitempty"`
	RegistrationAccessToken string `json:"registration_access_token,omitempty"`
	RegistrationClientURI   string `json:"registration_client_uri,omitempty"`
}

const registrationVersion = 1

// GetRegistration implements [credential.Store].
func (s *Store) GetRegistration(ctx context.Context, issuer, redirects string) (credential.Registration, error) {
	path := s.registrationPath(issuer, redirects)
	raw, err := atomicfile.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return credential.Registration{}, fmt.Errorf("client registration at %s: %w", issuer, credential.ErrNotFound)
	}
	if err != nil {
		return credential.Registration{}, failure("reading a client registration", path, err)
	}
	var r storedRegistration
	if err := json.Unmarshal(raw, &r); err != nil || r.Version != registrationVersion {
		// The decoder's message could quote a secret.
		return credential.Registration{}, &Error{"reading a client registration", path, errors.New("not what this version of usher writes")}
	}
	if r.Issuer != issuer || r.Redirects != redirects {
		return credential.Registration{}, &Error{"reading a client registration", path, errors.New("the file belongs to another one")}
	}
	return credential.Registration{
		Issuer: r.Issuer, Redirects: r.Redirects, ClientID: r.ClientID,
		ClientSecret:            secret.New(r.ClientSecret),
		RegistrationAccessToken: secret.New(r.RegistrationAccessToken),
		RegistrationClientURI:   r.RegistrationClientURI,
	}, nil
}

// PutRegistration implements [credential.Store].
func (s *Store) PutRegistration(ctx context.Context, r credential.Registration) (credential.Registration, error) {
	path := s.registrationPath(r.Issuer, r.Redirects)
	lock, err := lockFolder(ctx, filepath.Dir(path), "lock")
	if err != nil {
		return credential.Registration{}, err
	}
	defer lock.Release()
	if stored, err := s.GetRegistration(ctx, r.Issuer, r.Redirects); !errors.Is(err, credential.ErrNotFound) {
		return stored, err
	}
	data, err := json.Marshal(storedRegistration{
		Version: registrationVersion, Issuer: r.Issuer, Redirects: r.Redirects, ClientID: r.ClientID,
		ClientSecret:            r.ClientSecret.Reveal(),
		RegistrationAccessToken: r.RegistrationAccessToken.Reveal(),
		RegistrationClientURI:   r.RegistrationClientURI,
	})
	if err != nil {
		return credential.Registration{}, err
	}
	if err := write(path, data); err != nil {
		return credential.Registration{}, failure("writing a client registration", path, err)
	}
	return r, nil
}

func (s *Store) registrationPath(issuer, redirects string) string {
	sum := sha256.Sum256([]byte(tenant + "\x00" + issuer + "\x00" + redirects))
	return filepath.Join(s.dir, "registrations", hex.EncodeToString(sum[:16])+".json")
}
