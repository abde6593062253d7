package login

import (
	"context"
	"errors"
	"fmt"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/failpoint"
	"github.com/usherauth/usher/internal/uuid"
)

// ErrActive means that an import would replace a credential that is in use.
var ErrActive = errors.New("there is a credential that works already")

// Import stores cred, tokens that somebody else obtained, as the credential of
// cred.Key, and returns it as stored. It is a login that is won from the start:
// its record carries the credential before that is put in its place, so that of
// a process that dies on the way the whole is left, to be finished by whoever
// claims it, or nothing. Nobody was asked to approve that login, and
// [Config.Observe] is told nothing of it.
//
// [ErrActive] if the key has an active credential and replace is not set, and
// [credential.ErrLoginExists] if a login of it is pending; none can start
// meanwhile. If it is shared, cred takes the place of what is in the tool's file,
// unless its Share names what was seen there. Whatever goes wrong, the token is
// never revoked, since it may be in use where it came from. ctx bounds the waits
// for the store; once the record has the credential, nothing is cut off.
func (r *Registry) Import(ctx context.Context, cred credential.Credential, replace bool) (credential.Credential, error) {
	l := credential.Login{
		ID: uuid.New(), Key: cred.Key, Method: credential.MethodDevice, State: credential.Starting{},
		Binding: cred.Binding, Scopes: cred.Scopes, ShareWith: cred.Share.Tool,
	}
	l.Trace = traceOf(l.ID)
	// Held so that the watcher does not take the login for one that its owner left.
	release, err := r.beginCompletion(ctx, l.ID)
	if err != nil {
		return cred, err
	}
	defer release()
	if l.Owner, err = r.ownerID(ctx); err != nil {
		return cred, err
	}
	l.CreatedAt = stamp()
	l.ExpiresAt = l.CreatedAt.Add(persistTimeout)
	if l, err = r.store.CreateLogin(ctx, l, 0); err != nil {
		return cred, fmt.Errorf("importing %s: %w", cred.Key, err)
	}
	if cred, err = r.bringIn(ctx, l, cred, replace); err != nil {
		r.forgetImport(l.ID)
		return cred, fmt.Errorf("importing %s: %w", cred.Key, err)
	}
	return cred, nil
}

// bringIn takes l, which is starting, to its end with cred.
func (r *Registry) bringIn(ctx context.Context, l credential.Login, cred credential.Credential, replace bool) (credential.Credential, error) {
	now, err := r.store.Get(ctx, cred.Key)
	switch {
	case err == nil && now.State == credential.Active && !replace:
		return cred, ErrActive
	case err != nil && !errors.Is(err, credential.ErrNotFound):
		return cred, err
	}
	cred.Grant = l.ID
	l.State = credential.Persisting{Won: cred}
	if l, err = r.store.UpdateLogin(ctx, l, l.Version); err != nil {
		return cred, err
	}
	failpoint.Hit("login.persisting")
	ctx, cancel := r.persistContext()
	defer cancel()
	l.State = authorized()
	_, stored, err := r.store.Settle(ctx, l, r.seen(cred))
	if err != nil {
		return cred, err
	}
	failpoint.Hit("login.settled")
	r.settled(ctx, stored)
	return stored, nil
}

// forgetImport removes what is left of an import that failed. If the store does
// not let it, whoever claims the login later finishes the import.
func (r *Registry) forgetImport(id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), persistTimeout)
	defer cancel()
	l, err := r.store.GetLogin(ctx, id)
	if err == nil && l.Live() {
		l.State = failed(credential.Failure{Code: "import_failed"})
		_, err = r.store.UpdateLogin(ctx, l, l.Version)
	}
	if err == nil {
		err = r.store.DeleteLogin(ctx, id)
	}
	if err != nil && !errors.Is(err, credential.ErrNotFound) {
		r.cfg.Log.Error("removing a failed import", "login", id, "error", err)
	}
}
