package api

import "strings"

// A Caller is who uses the native surface. It says whose login is whose; what a
// caller may do at all is decided by how it has authenticated itself.
type Caller struct {
	// ClientID is by the client id header; empty is anonymous. It attributes
	// and authenticates nobody.
	ClientID string
	// Owner tells that the caller is the daemon's own user, on its socket or
	// in the same process.
	Owner bool
}

// Name is c as the initiator of a login. It is no client id of the compatible
// surface, so that nobody there is taken for it, anonymous or not.
func (c Caller) Name() string {
	switch {
	case !c.Owner:
		return nativeCaller + ":" + c.ClientID
	case c.ClientID != "":
		return nativeCaller + "/" + c.ClientID
	default:
		return nativeCaller
	}
}

// nativeCaller begins the names of callers. A client id has no slash.
const nativeCaller = "/v1"

// CallerClientID is the client id in name, which is that of a [Caller] or a
// client id of the compatible surface; empty if there is none.
func CallerClientID(name string) string {
	id, native := strings.CutPrefix(name, nativeCaller)
	if native && id != "" {
		return id[1:]
	}
	return id
}
