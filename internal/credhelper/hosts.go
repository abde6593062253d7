package credhelper

import (
	"net/netip"
	"slices"
	"strings"
)

// Hosts are the servers that may get a token, each a host or host:port in lower
// case, written in no unusual way.
type Hosts []string

// Allow reports whether a token may go to host by protocol. A host stands for
// itself alone: not for those below it, not for another port, not for another
// name of the same machine. Only letters of ASCII are the same in both cases, so
// that whatever is written unusually is another host. Without TLS only an address
// of this machine gets a token, and only where the list names its port too.
func (h Hosts) Allow(protocol, host string) bool {
	host = strings.Map(lower, host)
	if host == "" || !slices.Contains(h, host) {
		return false
	}
	return protocol == "https" || protocol == "http" && isLoopback(host)
}

// lower is r in lower case if it is a letter of ASCII. There are others whose
// lower case is one of ASCII, such as the Kelvin sign.
func lower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r - 'A' + 'a'
	}
	return r
}

// isLoopback reports whether host is an address of this machine with a port, and
// no name for one.
func isLoopback(host string) bool {
	a, err := netip.ParseAddrPort(host)
	return err == nil && a.Addr().Unmap().IsLoopback()
}
