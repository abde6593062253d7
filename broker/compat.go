package broker

import (
	"context"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
)

// minShownLife is the least life of a code that the compatible surface shows;
// its clients rely on that floor.
const minShownLife = 30 * time.Second

// StartDeviceFlow starts or joins a login for the compatible surface. fresh
// tells that it was started; the code and links are shown to the client id
// that started it only. Of r, the key is the provider id of that surface.
func (b *Broker) StartDeviceFlow(ctx context.Context, r api.StartLogin) (flow api.DeviceFlowStarted, fresh bool, err error) {
	r.Method = api.MethodDevice
	s, joined, err := b.start(ctx, r, r.ClientID)
	if err != nil {
		return flow, false, apiError(err, r.Key)
	}
	full := deviceFlow(s, r.ClientID)
	return api.DeviceFlowStarted{
		DeviceFlowID: full.DeviceFlowID, ProviderID: full.ProviderID, Status: full.Status,
		ExpiresAt: full.ExpiresAt, IntervalMs: full.IntervalMs, Attached: joined,
		UserCode: full.UserCode, VerificationURI: full.VerificationURI,
		VerificationURIComplete: full.VerificationURIComplete, InitiatorClientID: full.InitiatorClientID,
	}, !joined, nil
}

// DeviceFlow returns a login for the compatible surface, as clientID may see it.
func (b *Broker) DeviceFlow(ctx context.Context, id, clientID string) (api.DeviceFlow, error) {
	s, err := b.flow(ctx, id)
	if err != nil {
		return api.DeviceFlow{}, err
	}
	return deviceFlow(s, clientID), nil
}

// CancelDeviceFlow cancels a login on behalf of clientID. One that has ended
// stays as it is.
func (b *Broker) CancelDeviceFlow(ctx context.Context, id, clientID string) error {
	if _, err := b.flow(ctx, id); err != nil {
		return err
	}
	if _, err := b.logins.Cancel(ctx, id, clientID); err != nil {
		return loginError(err, id)
	}
	return nil
}

// flow is the login called id, if the compatible surface knows it: there is
// none there but device flows.
func (b *Broker) flow(ctx context.Context, id string) (login.Snapshot, error) {
	s, err := b.logins.Get(ctx, id)
	if err == nil && s.Method == credential.MethodCode {
		err = credential.ErrNotFound
	}
	if err != nil {
		return login.Snapshot{}, loginError(err, id)
	}
	return s, nil
}

// deviceFlow is the compatible view of a login.
func deviceFlow(s login.Snapshot, clientID string) api.DeviceFlow {
	v := api.DeviceFlow{
		DeviceFlowID: s.ID, ProviderID: s.Key.String(), Status: api.FlowPending,
		CreatedAt: s.CreatedAt.UnixMilli(), LastPolledAt: millis(s.LastPolledAt),
	}
	// Client ids attribute, they do not authenticate: who holds the bearer may
	// claim any. Hiding the code from others is courtesy, by the contract.
	initiator := clientID == s.Initiator
	if initiator {
		v.InitiatorClientID = s.Initiator
	}
	if s.Live() {
		expires := s.ExpiresAt
		if floor := s.CreatedAt.Add(minShownLife); expires.Before(floor) {
			expires = floor
		}
		v.ExpiresAt, v.IntervalMs = expires.UnixMilli(), s.Interval.Milliseconds()
		if p, ok := s.Prompt(); ok && initiator {
			v.UserCode = p.UserCode
			v.VerificationURI = p.VerificationURI
			v.VerificationURIComplete = p.VerificationURIComplete
		}
		return v
	}
	f := s.Failure()
	switch s.Status() {
	case credential.LoginAuthorized:
		v.Status = api.FlowAuthorized
	case credential.LoginCancelled:
		v.Status = api.FlowCancelled
	case credential.LoginExpired:
		v.Status, v.ErrorKind = api.FlowExpired, api.KindExpiredToken
		if f.FromProvider {
			v.Status = api.FlowError // the contract tells the two clocks apart
		}
	case credential.LoginDenied:
		v.Status, v.ErrorKind = api.FlowError, api.KindAccessDenied
	default:
		v.Status, v.ErrorKind = api.FlowError, failureKind(f)
	}
	if v.ErrorKind != "" {
		v.Hint = flowHint(v, f)
	}
	return v
}

// flowHint is why a flow ended with an error, in the words of the contract. It
// has those for the daemon's own clock and disk in its events only, and here
// they help as much.
func flowHint(v api.DeviceFlow, f credential.Failure) string {
	if v.Status == api.FlowExpired {
		return hintFlowExpired
	}
	switch v.ErrorKind {
	case api.KindPersistFailed:
		return hintPersistFailed
	case api.KindExpiredToken, api.KindAccessDenied, api.KindInvalidGrant:
		return api.IdPName(v.ProviderID) + " returned " + v.ErrorKind
	case api.KindUpstreamError:
		if f.FromProvider {
			return "unexpected response from identity provider"
		}
	}
	return f.Hint
}

// failureKind is the compatible error kind of a failed login.
func failureKind(f credential.Failure) string {
	switch f.Code {
	case login.FailurePersist, oauth.ErrorInvalidGrant, string(api.CodeLostSuccess):
		return f.Code
	}
	return api.KindUpstreamError
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
