package filestore

import (
	"context"
	"fmt"

	"github.com/usherauth/usher/credential"
)

// Settle implements [credential.Store]. The credential is written first and
// names the login as its grant, by which a later call recognises that only the
// login is left to write. The lock of the logins is held throughout: a logout
// marks the login either before, and nothing is stored, or after, and then it
// finds the credential.
func (s *Store) Settle(ctx context.Context, login credential.Login, cred credential.Credential) (credential.Login, credential.Credential, error) {
	login, cred, err := s.settle(ctx, login, cred)
	if err != nil {
		return credential.Login{}, credential.Credential{}, fmt.Errorf("settling login %s: %w", login.ID, err)
	}
	return login, cred, nil
}

func (s *Store) settle(ctx context.Context, login credential.Login, cred credential.Credential) (credential.Login, credential.Credential, error) {
	if cred.Key != login.Key {
		return login, cred, fmt.Errorf("the credential is for %s, the login for %s", cred.Key, login.Key)
	}
	if login.Status() != credential.LoginAuthorized {
		return login, cred, fmt.Errorf("a login that was settled is authorized, not %s", login.Status())
	}
	lock, err := s.lockLogins(ctx)
	if err != nil {
		return login, cred, err
	}
	defer lock.Release()
	stored, err := s.readLogin(login.ID)
	switch {
	case err != nil:
		return login, cred, err
	case stored.Superseded:
		return login, cred, credential.ErrSuperseded
	case stored.Key != login.Key || stored.Status() != credential.LoginPersisting || stored.Version != login.Version:
		return login, cred, credential.ErrConflict
	}
	if cred, err = s.folder(login.Key).settle(ctx, login.ID, cred); err != nil {
		return login, cred, err
	}
	login.Version++
	return login, cred, s.writeLogin(login)
}

// settle stores cred as the credential of grant, unless that has been done.
func (f folder) settle(ctx context.Context, grant string, cred credential.Credential) (credential.Credential, error) {
	writing, err := f.lockWrite(ctx)
	if err != nil {
		return cred, err
	}
	defer writing.Release()
	now, err := f.load()
	switch {
	case err != nil:
		return cred, err
	case now.grant == grant && now.cred != nil:
		return *now.cred, nil
	case now.grant == grant: // stored before, and logged out since
		return cred, credential.ErrSuperseded
	}
	cred.Grant = grant
	cred.Generation = now.generation + 1
	data, err := credential.Encode(cred)
	if err != nil {
		return cred, err
	}
	return cred, f.store(now, data)
}

// Update implements [credential.Store].
func (s *Store) Update(ctx context.Context, cred credential.Credential, ifGeneration uint64) (credential.Credential, error) {
	f := s.folder(cred.Key)
	if err := f.update(ctx, &cred, ifGeneration); err != nil {
		return credential.Credential{}, fmt.Errorf("updating credential %s: %w", cred.Key, err)
	}
	return cred, nil
}

func (f folder) update(ctx context.Context, cred *credential.Credential, ifGeneration uint64) error {
	// Before the lock: a key that was never stored gets no folder.
	if _, err := f.readAt(ifGeneration); err != nil {
		return err
	}
	writing, err := f.lockWrite(ctx)
	if err != nil {
		return err
	}
	defer writing.Release()
	now, err := f.readAt(ifGeneration)
	if err != nil {
		return err
	}
	cred.Generation = ifGeneration + 1
	data, err := credential.Encode(*cred)
	if err != nil {
		return err
	}
	return f.store(now, data)
}
