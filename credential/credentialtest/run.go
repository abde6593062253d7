// Package credentialtest proves that a [credential.Store] keeps the promises
// of its contract.
//
// Every store's test calls [Run]. A store that several processes share calls
// [RunShared] as well, and [ChildMain] from its TestMain, because those
// promises are proven with real processes and SIGKILL.
package credentialtest

import (
	"context"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// Run proves the guarantees that hold within one process. open returns a new,
// empty store each time; Run closes it.
func Run(t *testing.T, open func(t *testing.T) credential.Store) {
	t.Helper()
	for _, tt := range []struct {
		name string
		run  func(*testing.T, fixture)
	}{
		{"an empty store", testEmpty},
		{"settle stores the credential and ends the login", testSettle},
		{"settle needs a persisting login of the same version", testSettleConflict},
		{"settle of a superseded login stores nothing", testSettleSuperseded},
		{"settle completes after a crash between its writes", testSettleCrash},
		{"settle after a crash and a logout stores nothing", testSettleCrashLogout},
		{"update compares the generation", testUpdate},
		{"update and delete without a credential", testNoCredential},
		{"delete leaves a tombstone", testDelete},
		{"delete supersedes live logins of the key", testDeleteSupersedes},
		{"list is in key order", testList},
		{"stamp changes with the credential", testStamp},
		{"what is returned is not aliased", testNoAliases},
		{"every field survives", testFields},
		{"concurrent updates have one winner each", testConcurrentUpdates},
		{"logout is final against settle", testLogoutBesideSettle},

		{"rotation without a credential", testRotationNotFound},
		{"rotation commits", testRotation},
		{"rotation commits twice under one lock", testSecondCommit},
		{"rotations exclude each other", testRotationExclusion},
		{"waiting for a rotation ends with the context", testRotationWait},
		{"commit ignores cancellation", testCommitCancelled},
		{"an unfinished rotation is seen", testInterrupted},
		{"reserve refuses an overtaken record", testReserveOvertaken},
		{"commit after a logout is superseded", testCommitAfterLogout},
		{"commit after another login is superseded", testCommitAfterLogin},
		{"commit beside an update is installed later", testCommitBesideUpdate},
		{"discard forgets what was kept aside", testDiscard},
		{"the newest that was kept aside is installed", testNewestInstalled},
		{"what was kept aside is a candidate", testCandidates},
		{"a new login leaves an orphan", testOrphanOfLogin},
		{"a logout leaves an orphan", testOrphanOfLogout},
		{"what will be installed is no orphan", testNoOrphan},
		{"the same token imported once more", testImportedAgain},
		{"salvage leaves the record alone", testSalvage},
		{"settle beside commits loses nothing", testSettleBesideCommit},
		{"logout is final against commit", testLogoutBesideCommit},

		{"logins are stored, updated and deleted", testLogins},
		{"one live login per key", testCreateLoginExists},
		{"one of many concurrent logins wins", testCreateLoginRace},
		{"a dead owner's starting login is replaced", testStartingReplaced},
		{"live logins are capped", testLoginCap},
		{"a login is claimed from a dead owner only", testClaim},
		{"one of many concurrent claims at a version wins", testUpdateLoginRace},
		{"logins are listed oldest first", testListLogins},
		{"the live login of a key is found", testLiveLogin},
		{"changes of logins are told", testLoginChanges},
		{"hostile login ids are not found", testHostileIDs},

		{"registrations are created once", testRegistrations},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := open(t)
			t.Cleanup(func() {
				if err := store.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			tt.run(t, fixture{store, t.Context()})
		})
	}
}

// fixture is the store under test with helpers that fail the test.
type fixture struct {
	credential.Store
	ctx context.Context
}

var (
	github = credential.Key{Provider: "github", Account: "default"}
	work   = credential.Key{Provider: "github", Account: "work"}
	qwen   = credential.Key{Provider: "qwen-oauth", Account: "default"}
)

var start = time.Date(2026, 11, 21, 12, 0, 0, 5, time.UTC)

// sampleCredential has every field set. Its tokens carry tag.
func sampleCredential(key credential.Key, tag string) credential.Credential {
	return credential.Credential{
		Key:  key,
		Kind: credential.Refreshable,
		Binding: credential.Binding{
			Endpoints: oauth.Endpoints{
				Issuer: "https://as.test", DeviceAuthorization: "https://as.test/device",
				Authorization: "https://as.test/authorize", Token: "https://as.test/token",
				Revocation: "https://as.test/revoke", Userinfo: "https://as.test/userinfo", RequireISS: true,
			},
			ClientID: "client", AuthStyle: oauth.AuthBasic, Dialect: "standard", Resource: "https://api.test",
		},
		State: credential.NeedsLogin, Cause: credential.CauseRefused,
		AccessToken: secret.New("at-" + tag), RefreshToken: secret.New("rt-" + tag), IDToken: secret.New("id-" + tag),
		TokenType: "Bearer", Scopes: []string{"openid", "repo"}, ResourceURL: "https://api.test/v1",
		Extra: secret.New(`{"tag":"` + tag + `"}`), Alias: "acct-abc123",
		Received: credential.Instant{Wall: start, Boot: time.Hour, BootID: "boot"}, Lifetime: time.Hour,
		RefreshExpiresAt: start.Add(24 * time.Hour), RefreshedAt: start.Add(time.Minute), HoldOffUntil: start.Add(time.Hour),
		Share: credential.Share{Tool: "qwen", Seen: "seen-" + tag}, Unknown: secret.New(`{"later":"` + tag + `"}`),
	}
}

// sampleLogin is a starting login.
func sampleLogin(key credential.Key, id, owner string) credential.Login {
	return credential.Login{
		ID: id, Key: key, Method: credential.MethodDevice, State: credential.Starting{},
		Binding: sampleCredential(key, "").Binding, Scopes: []string{"openid"},
		Initiator: "client-1", Origin: "me@host", Owner: owner,
		CreatedAt: start, ExpiresAt: start.Add(10 * time.Minute), Interval: 5 * time.Second,
	}
}

// owner makes an owner that lives until the test ends or it is closed.
func (f fixture) owner(t *testing.T) credential.Owner {
	t.Helper()
	o, err := f.NewOwner(f.ctx)
	if err != nil {
		t.Fatalf("NewOwner: %v", err)
	}
	return o
}

// persisting stores a login that waits to be settled with a credential tagged
// with its id.
func (f fixture) persisting(t *testing.T, key credential.Key, id string) (credential.Login, credential.Credential) {
	t.Helper()
	l, err := f.CreateLogin(f.ctx, sampleLogin(key, id, f.owner(t).ID()), 0)
	if err != nil {
		t.Fatalf("CreateLogin: %v", err)
	}
	won := sampleCredential(key, id)
	l.State = credential.Persisting{Won: won}
	if l, err = f.UpdateLogin(f.ctx, l, l.Version); err != nil {
		t.Fatalf("UpdateLogin: %v", err)
	}
	return l, won
}

// login stores a credential by a login of that id.
func (f fixture) login(t *testing.T, key credential.Key, id string) credential.Credential {
	t.Helper()
	l, won := f.persisting(t, key, id)
	_, cred, err := f.Settle(f.ctx, authorized(l), won)
	if err != nil {
		t.Fatalf("Settle: %v", err)
	}
	return cred
}

// authorized is l as its settle leaves it.
func authorized(l credential.Login) credential.Login {
	l.State = credential.Ended{Status: credential.LoginAuthorized, At: start}
	return l
}

// failed is l as a failure of its own leaves it.
func failed(l credential.Login) credential.Login {
	l.State = credential.Ended{
		Status: credential.LoginFailed, At: start, Failure: credential.Failure{Code: "persist_failed"},
	}
	return l
}

// pending is l as the provider's answer leaves it.
func pending(l credential.Login) credential.Login {
	l.State = credential.Pending{Device: credential.DeviceGrant{
		DeviceCode: secret.New("dc"), Prompt: credential.Prompt{UserCode: "AB-CD", VerificationURI: "https://as.test/device"},
	}}
	return l
}

func (f fixture) get(t *testing.T, key credential.Key) credential.Credential {
	t.Helper()
	cred, err := f.Get(f.ctx, key)
	if err != nil {
		t.Fatalf("Get(%s): %v", key, err)
	}
	return cred
}

func (f fixture) rotation(t *testing.T, key credential.Key) credential.Rotation {
	t.Helper()
	r, err := f.BeginRotation(f.ctx, key, 0)
	if err != nil {
		t.Fatalf("BeginRotation(%s): %v", key, err)
	}
	return r
}

// refreshed is what a refresh makes of cred, its tokens tagged with tag.
func refreshed(cred credential.Credential, tag string) credential.Credential {
	cred.AccessToken, cred.RefreshToken = secret.New("at-"+tag), secret.New("rt-"+tag)
	return cred
}

func release(t *testing.T, r credential.Rotation, unspent bool) {
	t.Helper()
	if err := r.Release(unspent); err != nil {
		t.Errorf("Release: %v", err)
	}
}
