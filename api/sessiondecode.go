package api

import (
	"encoding/json"
	"fmt"
	"math"
)

// This file reads the frames of session streams as leniently and as strictly
// as the clients that the contract was written for: names are matched exactly,
// members that are not known are passed over, and data that lack what their
// type promises are left undecoded, so that nobody acts on half of an event.

// maxSafeInteger is the largest number of an event that every client can tell
// from its neighbours: a float64 holds it exactly.
const maxSafeInteger = 1<<53 - 1

// UnmarshalJSON decodes a frame, its data by its type. It is an error if text
// is no frame of version 1; data that are not of their type's form are none,
// see [SessionEvent.Data].
func (e *SessionEvent) UnmarshalJSON(text []byte) error {
	var f members
	if err := json.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("decoding session event: %w", err)
	}
	version, _ := f.number("v")
	typ, typed := f.text("type")
	if version != 1 || !typed {
		return fmt.Errorf("decoding session event: not a frame of version 1")
	}
	out := SessionEvent{V: 1, Type: typ}
	if _, numbered := f["id"]; numbered {
		id, ok := f.number("id")
		if !ok || id != math.Trunc(id) || id < 1 || id > maxSafeInteger {
			return fmt.Errorf("decoding session event: number is not one from 1 to %d", int64(maxSafeInteger))
		}
		out.ID = int64(id)
	}
	out.OriginatorClientID, _ = f.text("originatorClientId")
	var meta members
	if json.Unmarshal(f["_meta"], &meta) == nil && meta != nil {
		at, _ := meta.number("serverTimestamp")
		out.Meta = &SessionEventMeta{ServerTimestamp: whole(at)}
	}
	out.Data = sessionData(typ, f["data"])
	*e = out
	return nil
}

// sessionData is the data of an event of type typ, or raw itself if that is not
// of its form.
func sessionData(typ string, raw json.RawMessage) any {
	var f members
	if json.Unmarshal(raw, &f) != nil || f == nil {
		return raw
	}
	flow, ok := f.name("deviceFlowId")
	switch typ {
	case SessionFlowStarted:
		provider, named := f.name("providerId")
		expires, bounded := f.number("expiresAt")
		if ok && named && bounded {
			return FlowStartedData{DeviceFlowID: flow, ProviderID: provider, ExpiresAt: whole(expires)}
		}
	case SessionFlowThrottled:
		interval, timed := f.number("intervalMs")
		if ok && timed {
			return FlowThrottledData{DeviceFlowID: flow, IntervalMs: whole(interval)}
		}
	case SessionFlowAuthorized:
		provider, named := f.name("providerId")
		expires, bounded := f.number("expiresAt")
		alias, labelled := f.optional("accountAlias")
		if ok && named && (bounded || f["expiresAt"] == nil) && labelled {
			return FlowAuthorizedData{DeviceFlowID: flow, ProviderID: provider, ExpiresAt: whole(expires), AccountAlias: alias}
		}
	case SessionFlowFailed:
		kind, explained := f.name("errorKind")
		hint, hinted := f.optional("hint")
		if ok && explained && hinted {
			return FlowFailedData{DeviceFlowID: flow, ErrorKind: kind, Hint: hint}
		}
	case SessionFlowCancelled:
		if ok {
			return FlowCancelledData{DeviceFlowID: flow}
		}
	case SessionResyncRequired:
		return decoded[StreamResyncData](raw)
	case SessionReplayComplete:
		return decoded[StreamReplayedData](raw)
	case SessionSlowClient:
		return decoded[StreamSlowData](raw)
	case SessionClientEvicted:
		return decoded[StreamEvictedData](raw)
	}
	return raw
}

// decoded is raw as a T, or raw itself if it is none.
func decoded[T any](raw json.RawMessage) any {
	var v T
	if json.Unmarshal(raw, &v) != nil {
		return raw
	}
	return v
}

// members are those of a JSON object, by their exact names. Package json would
// take names that differ in case for the same.
type members map[string]json.RawMessage

// text is a member that is a string.
func (f members) text(name string) (s string, ok bool) {
	raw := f[name]
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(raw, &s) == nil
}

// name is a member that is a string and not empty.
func (f members) name(name string) (string, bool) {
	s, ok := f.text(name)
	return s, ok && s != ""
}

// optional is a member that is a string, or empty if it is null or absent.
func (f members) optional(name string) (string, bool) {
	if raw := f[name]; raw == nil || string(raw) == "null" {
		return "", true
	}
	return f.text(name)
}

// number is a member that is a number. One that no float64 can hold is none.
func (f members) number(name string) (n float64, ok bool) {
	raw := f[name]
	if len(raw) == 0 || raw[0] == 'n' {
		return 0, false
	}
	return n, json.Unmarshal(raw, &n) == nil
}

// whole is n without its fraction, at most what an int64 holds.
func whole(n float64) int64 {
	const limit = 1 << 63
	switch {
	case n >= limit:
		return math.MaxInt64
	case n < -limit:
		return math.MinInt64
	default:
		return int64(n)
	}
}
