package api

// This file holds the words of the session streams of the compatible surface.
// All times are epoch milliseconds unless said otherwise.

// Session is the answer to POST /session. A session is no more than a stream
// of events; it selects nothing.
type Session struct {
	SessionID    string `json:"sessionId"`
	WorkspaceCwd string `json:"workspaceCwd"`
	Attached     bool   `json:"attached"`
	// ClientID is drawn for the caller, to be sent as X-Qwen-Client-Id.
	ClientID string `json:"clientId"`
	// CreatedAt is in the form of ISO 8601, with milliseconds and in UTC.
	CreatedAt string `json:"createdAt"`
}

// SessionHeartbeat is the answer to POST /session/{id}/heartbeat.
type SessionHeartbeat struct {
	SessionID string `json:"sessionId"`
	// ClientID is the caller's own; empty if anonymous.
	ClientID   string `json:"clientId,omitempty"`
	LastSeenAt int64  `json:"lastSeenAt"`
}

// The types of the numbered [SessionEvent]s.
const (
	SessionFlowStarted    = "auth_device_flow_started"
	SessionFlowThrottled  = "auth_device_flow_throttled"
	SessionFlowAuthorized = "auth_device_flow_authorized"
	SessionFlowFailed     = "auth_device_flow_failed"
	SessionFlowCancelled  = "auth_device_flow_cancelled"
)

// The types of the [SessionEvent]s that speak of the stream itself. They have
// no number.
const (
	SessionResyncRequired = "state_resync_required"
	SessionReplayComplete = "replay_complete"
	SessionSlowClient     = "slow_client_warning"
	SessionClientEvicted  = "client_evicted"
	SessionStreamError    = "stream_error"
)

// SessionEvent is one frame of GET /session/{id}/events.
type SessionEvent struct {
	// ID is the event's number within its session: from 1, growing. 0, which
	// is left out, in frames that speak of the stream itself.
	ID int64 `json:"id,omitempty"`
	// V is the version of this form; 1.
	V    int    `json:"v"`
	Type string `json:"type"`
	// Data is what Type says: one of the types of this package whose name
	// ends with Data. A frame that was decoded has a
	// [encoding/json.RawMessage] instead for a type that is not known, and for
	// data that are not of the form of their type.
	Data any `json:"data"`
	// OriginatorClientID is the client id of who caused the event; empty if
	// anonymous.
	OriginatorClientID string            `json:"originatorClientId,omitempty"`
	Meta               *SessionEventMeta `json:"_meta,omitempty"`
}

// SessionEventMeta is what is known of the sending of a [SessionEvent].
type SessionEventMeta struct {
	ServerTimestamp int64 `json:"serverTimestamp"`
}

// FlowStartedData is the data of [SessionFlowStarted].
type FlowStartedData struct {
	DeviceFlowID string `json:"deviceFlowId"`
	ProviderID   string `json:"providerId"`
	ExpiresAt    int64  `json:"expiresAt"`
}

// FlowThrottledData is the data of [SessionFlowThrottled]: the provider asked to
// slow down.
type FlowThrottledData struct {
	DeviceFlowID string `json:"deviceFlowId"`
	IntervalMs   int64  `json:"intervalMs"`
}

// FlowAuthorizedData is the data of [SessionFlowAuthorized]. ExpiresAt is the end
// of the access token, 0 if it has none.
type FlowAuthorizedData struct {
	DeviceFlowID string `json:"deviceFlowId"`
	ProviderID   string `json:"providerId"`
	ExpiresAt    int64  `json:"expiresAt,omitempty"`
	AccountAlias string `json:"accountAlias,omitempty"`
}

// FlowFailedData is the data of [SessionFlowFailed], which is also the end of a
// code by the daemon's clock.
type FlowFailedData struct {
	DeviceFlowID string `json:"deviceFlowId"`
	ErrorKind    string `json:"errorKind"`
	Hint         string `json:"hint,omitempty"`
}

// FlowCancelledData is the data of [SessionFlowCancelled].
type FlowCancelledData struct {
	DeviceFlowID string `json:"deviceFlowId"`
}

// StreamResyncData is the data of [SessionResyncRequired]: events are lost, or
// their numbers began anew. Reason is "epoch_reset" or "ring_evicted"; Detail
// is "epoch_mismatch" when the client named another epoch.
type StreamResyncData struct {
	Reason              string `json:"reason"`
	Detail              string `json:"detail,omitempty"`
	LastDeliveredID     int64  `json:"lastDeliveredId"`
	EarliestAvailableID int64  `json:"earliestAvailableId"`
}

// StreamReplayedData is the data of [SessionReplayComplete]. The two ids are left
// out when nothing was replayed.
type StreamReplayedData struct {
	LastReplayedEventID int64 `json:"lastReplayedEventId,omitempty"`
	LastEventID         int64 `json:"lastEventId,omitempty"`
	ReplayedCount       int   `json:"replayedCount"`
}

// StreamSlowData is the data of [SessionSlowClient]. Threshold tells which
// bound is near: "frames", "bytes" or "frames_and_bytes".
type StreamSlowData struct {
	QueueSize      int    `json:"queueSize"`
	MaxQueued      int    `json:"maxQueued"`
	LastEventID    int64  `json:"lastEventId"`
	QueuedBytes    int64  `json:"queuedBytes"`
	MaxQueuedBytes int64  `json:"maxQueuedBytes"`
	Threshold      string `json:"threshold"`
}

// StreamEvictedData is the data of [SessionClientEvicted], the last frame of a
// stream whose client does not read. Reason is "queue_overflow",
// "queue_bytes_overflow" or "writer_idle_timeout".
type StreamEvictedData struct {
	Reason         string `json:"reason"`
	DroppedAfter   int64  `json:"droppedAfter"`
	QueueSize      int    `json:"queueSize"`
	MaxQueued      int    `json:"maxQueued"`
	QueuedBytes    int64  `json:"queuedBytes"`
	MaxQueuedBytes int64  `json:"maxQueuedBytes"`
	EventBytes     int64  `json:"eventBytes,omitempty"`
}
