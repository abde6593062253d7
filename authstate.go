package usher

import (
	"maps"
	"slices"

	"github.com/usherauth/usher/api"
)

// AuthState is what the events of a session tell about logins, by provider id:
// the newest login of each, as far as the events that were reduced know it. It
// is a summary for showing; what the daemon answers to a question is the truth.
// The zero value knows nothing and is ready to use.
//
// Its JSON is that of the state which the TypeScript client keeps, and so are
// its rules, see [AuthState.Reduce].
type AuthState struct {
	Flows map[string]Flow `json:"flows"`
}

// Flow is one login in an [AuthState]. Zero values stand for what is not known.
type Flow struct {
	DeviceFlowID string `json:"deviceFlowId"`
	// Status is one of [api.FlowPending], [api.FlowAuthorized],
	// [api.FlowError] and [api.FlowCancelled]. A code that expired is an
	// error here.
	Status string `json:"status"`
	// ErrorKind says why Status is an error, such as [api.KindAccessDenied],
	// and Hint tells a person more. A Hint stays when a later event has none
	// to say.
	ErrorKind string `json:"errorKind,omitempty"`
	Hint      string `json:"hint,omitempty"`
	// IntervalMs is the time between polls that the provider last asked for,
	// in milliseconds; 0 if it never did.
	IntervalMs int64 `json:"intervalMs,omitempty"`
	// LastSeenEventID is the number of the newest event in this state.
	LastSeenEventID int64 `json:"lastSeenEventId,omitempty"`
	// AuthorizedExpiresAt is the end of the access token, in epoch
	// milliseconds; 0 if it has none.
	AuthorizedExpiresAt int64 `json:"authorizedExpiresAt,omitempty"`
	// AccountAlias labels the account without naming it.
	AccountAlias string `json:"accountAlias,omitempty"`
}

// Reduce returns the state after e; s stays as it is. Events that tell nothing
// about logins, or whose data are not of their form, change nothing. Of the
// others,
//
//   - one whose number is not above that of the login's newest event is old and
//     changes nothing, which makes a replay harmless;
//   - one about a login that is not its provider's newest changes nothing: what
//     began before the stream did is not known;
//   - one without a number is taken and does not count.
func (s AuthState) Reduce(e SessionEvent) AuthState {
	provider, known := s.provider(e.Data)
	flow := s.Flows[provider]
	if !known || e.ID != 0 && e.ID <= flow.LastSeenEventID {
		return s
	}
	switch d := e.Data.(type) {
	case api.FlowStartedData:
		flow = Flow{DeviceFlowID: d.DeviceFlowID, Status: api.FlowPending, LastSeenEventID: flow.LastSeenEventID}
	case api.FlowThrottledData:
		flow.IntervalMs = d.IntervalMs
	case api.FlowAuthorizedData:
		flow.Status, flow.ErrorKind = api.FlowAuthorized, ""
		flow.AuthorizedExpiresAt, flow.AccountAlias = d.ExpiresAt, d.AccountAlias
	case api.FlowFailedData:
		flow.Status, flow.ErrorKind, flow.Hint = api.FlowError, d.ErrorKind, d.Hint
	case api.FlowCancelledData:
		flow.Status = api.FlowCancelled
	}
	if e.ID != 0 {
		flow.LastSeenEventID = e.ID
	}
	flows := maps.Clone(s.Flows)
	if flows == nil {
		flows = map[string]Flow{}
	}
	flows[provider] = flow
	return AuthState{Flows: flows}
}

// provider is the provider id that data are about. It is not known if they are
// not about a login, or about one that is not the newest of its provider.
func (s AuthState) provider(data any) (id string, known bool) {
	switch d := data.(type) {
	case api.FlowStartedData:
		return d.ProviderID, d.ProviderID != "" && d.DeviceFlowID != ""
	case api.FlowAuthorizedData:
		return d.ProviderID, d.DeviceFlowID != "" && s.Flows[d.ProviderID].DeviceFlowID == d.DeviceFlowID
	case api.FlowThrottledData:
		return s.providerOf(d.DeviceFlowID)
	case api.FlowFailedData:
		return s.providerOf(d.DeviceFlowID)
	case api.FlowCancelledData:
		return s.providerOf(d.DeviceFlowID)
	}
	return "", false
}

// providerOf finds the provider whose newest login is called flow. The ids of
// logins are unique over all providers; of two that were not, the first by
// provider id is taken, so that the result never depends on chance.
func (s AuthState) providerOf(flow string) (id string, known bool) {
	for _, id := range slices.Sorted(maps.Keys(s.Flows)) {
		if flow != "" && s.Flows[id].DeviceFlowID == flow {
			return id, true
		}
	}
	return "", false
}
