package api

import "strings"

// This file holds the words of the surface that is compatible with
// `qwen serve`. All times there are epoch milliseconds.

// The error kinds of a [DeviceFlow]. Those that are codes too are the same word.
const (
	KindExpiredToken  = string(CodeExpired)
	KindAccessDenied  = string(CodeAccessDenied)
	KindInvalidGrant  = string(CodeInvalidGrant)
	KindLostSuccess   = string(CodeLostSuccess)
	KindUpstreamError = "upstream_error"
	KindPersistFailed = "persist_failed"
)

// KindNotFoundOrEvicted is the kind of a client's [Error] for a login that the
// daemon does not know, or does not know any more.
const KindNotFoundOrEvicted = "not_found_or_evicted"

// KindTimeout is the kind of an [Error] for a provider that took the request
// and gave no answer in time.
const KindTimeout = "timeout"

// The statuses of a [DeviceFlow] that differ from those of a [Login].
const (
	FlowPending    = "pending"
	FlowAuthorized = "authorized"
	FlowExpired    = "expired"
	FlowError      = "error"
	FlowCancelled  = "cancelled"
)

// DeviceFlowStarted is the answer to POST /workspace/auth/device-flow. The
// fields after Attached stand only in answers to the initiator.
type DeviceFlowStarted struct {
	DeviceFlowID            string `json:"deviceFlowId"`
	ProviderID              string `json:"providerId"`
	Status                  string `json:"status"`
	ExpiresAt               int64  `json:"expiresAt"`
	IntervalMs              int64  `json:"intervalMs"`
	Attached                bool   `json:"attached"`
	UserCode                string `json:"userCode,omitempty"`
	VerificationURI         string `json:"verificationUri,omitempty"`
	VerificationURIComplete string `json:"verificationUriComplete,omitempty"`
	InitiatorClientID       string `json:"initiatorClientId,omitempty"`
}

// DeviceFlow is the answer to GET /workspace/auth/device-flow/{id}.
type DeviceFlow struct {
	DeviceFlowID            string `json:"deviceFlowId"`
	ProviderID              string `json:"providerId"`
	Status                  string `json:"status"`
	CreatedAt               int64  `json:"createdAt"`
	ErrorKind               string `json:"errorKind,omitempty"`
	Hint                    string `json:"hint,omitempty"`
	ExpiresAt               int64  `json:"expiresAt,omitempty"`
	IntervalMs              int64  `json:"intervalMs,omitempty"`
	LastPolledAt            int64  `json:"lastPolledAt,omitempty"`
	UserCode                string `json:"userCode,omitempty"`
	VerificationURI         string `json:"verificationUri,omitempty"`
	VerificationURIComplete string `json:"verificationUriComplete,omitempty"`
	InitiatorClientID       string `json:"initiatorClientId,omitempty"`
}

// AuthStatus is the answer to GET /workspace/auth/status.
type AuthStatus struct {
	V                            int                 `json:"v"`
	WorkspaceCwd                 string              `json:"workspaceCwd"`
	Providers                    []AuthProvider      `json:"providers"`
	PendingDeviceFlows           []PendingDeviceFlow `json:"pendingDeviceFlows"`
	SupportedDeviceFlowProviders []string            `json:"supportedDeviceFlowProviders"`
}

// The statuses of an [AuthProvider].
const (
	AuthOK      = "ok"
	AuthWarning = "warning" // a person will be needed soon
	AuthError   = "error"   // a login is needed
)

// AuthProvider is one credential in an [AuthStatus]. Status is one of [AuthOK],
// [AuthWarning] and [AuthError]; Hint says what a person has to do unless it is
// the first.
type AuthProvider struct {
	Kind         string `json:"kind"`
	Status       string `json:"status"`
	ProviderID   string `json:"providerId"`
	ExpiresAt    int64  `json:"expiresAt,omitempty"`
	AccountAlias string `json:"accountAlias,omitempty"`
	Error        string `json:"error,omitempty"`
	Hint         string `json:"hint,omitempty"`
}

// PendingDeviceFlow is one pending login in an [AuthStatus].
type PendingDeviceFlow struct {
	DeviceFlowID string `json:"deviceFlowId"`
	ProviderID   string `json:"providerId"`
	ExpiresAt    int64  `json:"expiresAt"`
}

// Capabilities is the answer to GET /capabilities.
type Capabilities struct {
	V                int              `json:"v"`
	ProtocolVersions ProtocolVersions `json:"protocolVersions"`
	UsherVersion     string           `json:"usherVersion"`
	Mode             string           `json:"mode"`
	Features         []string         `json:"features"`
	ModelServices    []string         `json:"modelServices"`
	WorkspaceCwd     string           `json:"workspaceCwd"`
	Transports       []string         `json:"transports"`
}

// ProtocolVersions names the versions of the compatible surface.
type ProtocolVersions struct {
	Current   string   `json:"current"`
	Supported []string `json:"supported"`
}

// CompatError is the error body of the compatible surface.
type CompatError struct {
	Error              string   `json:"error"`
	Code               string   `json:"code,omitempty"`
	SupportedProviders []string `json:"supportedProviders,omitempty"`
	// Tier and RetryAfterMs stand with the code rate_limit_exceeded: which
	// limit it was, "read" or "mutation", and when it will have room again.
	Tier         string `json:"tier,omitempty"`
	RetryAfterMs int64  `json:"retryAfterMs,omitempty"`
	// Limit stands with limits of sessions and streams that were reached;
	// Scope, "workspace", with that of sessions.
	Limit int    `json:"limit,omitempty"`
	Scope string `json:"scope,omitempty"`
	// SessionID stands with the code session_not_found.
	SessionID string `json:"sessionId,omitempty"`
}

// IdPName is what errors and hints of the compatible surface call the provider
// of a login: as `qwen serve` does for qwen-oauth.
func IdPName(providerID string) string {
	if name, _, _ := strings.Cut(providerID, "/"); name == "qwen-oauth" {
		return "Qwen IdP"
	}
	return "Identity provider"
}
