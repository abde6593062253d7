package broker

import (
	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/session"
)

// The hints of failures that have words of their own in session streams.
const (
	hintFlowExpired   = "device-flow expired without authorization"
	hintPersistFailed = "credentials could not be written to the daemon filesystem — check disk space and permissions"
)

// Sessions are the sessions of the compatible surface.
func (b *Broker) Sessions() *session.Hub { return b.cfg.Sessions }

// tellLogin puts e into the native log as typ and into the streams of all
// sessions.
func (b *Broker) tellLogin(typ string, e login.Event) {
	b.telling.Lock()
	defer b.telling.Unlock()
	view := b.loginView(login.Snapshot{Login: e.Login, Slowed: e.Type == login.Throttled}, public)
	b.events.Append(api.Event{Type: typ, Login: &view})
	if told, ok := sessionEvent(e); ok {
		b.cfg.Sessions.Publish(e.Login.ID, told)
	}
}

// sessionEvent is e in the words of the compatible surface, which knows the
// method device only. A login that another client cancelled is attributed to
// that one, everything else to who started it.
func sessionEvent(e login.Event) (api.SessionEvent, bool) {
	if e.Login.Method != credential.MethodDevice {
		return api.SessionEvent{}, false
	}
	told := api.SessionEvent{OriginatorClientID: api.CallerClientID(e.Login.Initiator)}
	flow := deviceFlow(login.Snapshot{Login: e.Login}, "")
	switch e.Type {
	case login.Started:
		told.Type = api.SessionFlowStarted
		told.Data = api.FlowStartedData{DeviceFlowID: flow.DeviceFlowID, ProviderID: flow.ProviderID, ExpiresAt: flow.ExpiresAt}
	case login.Throttled:
		told.Type = api.SessionFlowThrottled
		told.Data = api.FlowThrottledData{DeviceFlowID: flow.DeviceFlowID, IntervalMs: e.Login.Interval.Milliseconds()}
	case login.Authorized:
		told.Type = api.SessionFlowAuthorized
		told.Data = flowAuthorized(flow, e.Credential)
	case login.Denied, login.Expired, login.Failed:
		told.Type = api.SessionFlowFailed
		told.Data = api.FlowFailedData{DeviceFlowID: flow.DeviceFlowID, ErrorKind: flow.ErrorKind, Hint: flow.Hint}
	case login.Cancelled:
		told.Type = api.SessionFlowCancelled
		told.Data = api.FlowCancelledData{DeviceFlowID: flow.DeviceFlowID}
		told.OriginatorClientID = api.CallerClientID(e.By)
	default:
		return api.SessionEvent{}, false
	}
	return told, true
}

func flowAuthorized(flow api.DeviceFlow, c *credential.Credential) api.FlowAuthorizedData {
	data := api.FlowAuthorizedData{DeviceFlowID: flow.DeviceFlowID, ProviderID: flow.ProviderID}
	if c != nil {
		data.ExpiresAt, data.AccountAlias = millis(c.ExpiresAt()), c.Alias
	}
	return data
}
