package broker

import (
	"context"
	"slices"
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
// that started it only.
func (b *Broker) StartDeviceFlow(ctx context.Context, providerID, clientID string) (flow api.DeviceFlowStarted, fresh bool, err error) {
	s, joined, err := b.start(ctx, api.StartLogin{Key: providerID}, clientID)
	if err != nil {
		return flow, false, apiError(err, providerID)
	}
	full := deviceFlow(s, clientID)
	return api.DeviceFlowStarted{
		DeviceFlowID: full.DeviceFlowID, ProviderID: full.ProviderID, Status: full.Status,
		ExpiresAt: full.ExpiresAt, IntervalMs: full.IntervalMs, Attached: joined,
		UserCode: full.UserCode, VerificationURI: full.VerificationURI,
		VerificationURIComplete: full.VerificationURIComplete, InitiatorClientID: full.InitiatorClientID,
	}, !joined, nil
}

// DeviceFlow returns a login for the compatible surface, as clientID may see it.
func (b *Broker) DeviceFlow(ctx context.Context, id, clientID string) (api.DeviceFlow, error) {
	s, err := b.logins.Get(ctx, id)
	if err != nil {
		return api.DeviceFlow{}, loginError(err, id)
	}
	return deviceFlow(s, clientID), nil
}

// CancelDeviceFlow cancels a login on behalf of clientID. One that has ended
// stays as it is.
func (b *Broker) CancelDeviceFlow(ctx context.Context, id, clientID string) error {
	if _, err := b.logins.Cancel(ctx, id, clientID); err != nil {
		return loginError(err, id)
	}
	return nil
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
	if s.Status.Live() {
		expires := s.ExpiresAt
		if floor := s.CreatedAt.Add(minShownLife); expires.Before(floor) {
			expires = floor
		}
		v.ExpiresAt, v.IntervalMs = expires.UnixMilli(), s.Interval.Milliseconds()
		if initiator && s.Device != nil {
			v.UserCode = s.Device.UserCode
			v.VerificationURI = s.Device.VerificationURI
			v.VerificationURIComplete = s.Device.VerificationURIComplete
		}
		return v
	}
	switch s.Status {
	case credential.LoginAuthorized:
		v.Status = api.FlowAuthorized
	case credential.LoginCancelled:
		v.Status = api.FlowCancelled
	case credential.LoginExpired:
		v.Status, v.ErrorKind = api.FlowExpired, api.KindExpiredToken
		if s.Failure != nil && s.Failure.FromProvider {
			v.Status = api.FlowError // the contract tells the two clocks apart
		}
	case credential.LoginDenied:
		v.Status, v.ErrorKind = api.FlowError, api.KindAccessDenied
	default:
		v.Status, v.ErrorKind = api.FlowError, failureKind(s.Failure)
	}
	// The contract has no hint for its own clock and its own disk.
	if s.Failure != nil && v.Status == api.FlowError && v.ErrorKind != login.FailurePersist {
		v.Hint = s.Failure.Hint
	}
	return v
}

// failureKind is the compatible error kind of a failed login.
func failureKind(f *credential.Failure) string {
	if f == nil {
		return api.KindUpstreamError
	}
	switch f.Code {
	case login.FailurePersist, oauth.ErrorInvalidGrant, string(api.CodeLostSuccess):
		return f.Code
	}
	return api.KindUpstreamError
}

// AuthStatus tells what is logged in, what is pending and what could be logged
// in to, for the compatible surface. The server fills in the workspace.
func (b *Broker) AuthStatus(ctx context.Context) (api.AuthStatus, error) {
	v := api.AuthStatus{
		V: 1, Providers: []api.AuthProvider{}, PendingDeviceFlows: []api.PendingDeviceFlow{},
		SupportedDeviceFlowProviders: []string{},
	}
	for c, err := range b.cfg.Store.List(ctx) {
		if err != nil {
			// One that cannot be read must not hide the others from a client
			// that only wants to start a login.
			b.cfg.Log.Warn("unreadable credential", "error", err)
			continue
		}
		v.Providers = append(v.Providers, authProvider(c))
	}
	all, err := b.logins.List(ctx)
	if err != nil {
		return v, apiError(err, "")
	}
	for _, s := range all {
		if s.Status.Live() {
			flow := deviceFlow(s, "")
			v.PendingDeviceFlows = append(v.PendingDeviceFlows, api.PendingDeviceFlow{
				DeviceFlowID: flow.DeviceFlowID, ProviderID: flow.ProviderID, ExpiresAt: flow.ExpiresAt,
			})
		}
	}
	v.SupportedDeviceFlowProviders = b.deviceProviders()
	return v, nil
}

// deviceProviders names the providers a device login can be started with now.
func (b *Broker) deviceProviders() []string {
	names := []string{}
	listed := b.cfg.Providers.List()
	for _, p := range listed {
		if p.Check() == nil {
			names = append(names, p.Name)
		}
	}
	for name := range b.cfg.InProcess {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func authProvider(c credential.Credential) api.AuthProvider {
	v := api.AuthProvider{
		Kind: "auth_provider", Status: "ok", ProviderID: c.Key.String(),
		ExpiresAt: millis(c.ExpiresAt()), AccountAlias: c.Alias,
	}
	if state, cause := stateOf(c); state == credential.NeedsLogin {
		v.Status = "error"
		v.Error = "login needed: " + string(cause)
		v.Hint = "start a new login for " + c.Key.String()
	}
	return v
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
