package server

import (
	"net"
	"slices"
	"strings"
)

// names are the hosts and origins that are the daemon itself on one listener.
type names struct {
	hosts []string // Host values, lower case; empty accepts any
	// pages: whether web pages of these hosts are the daemon's own.
	pages bool
}

// newNames derives them from the address a listener is bound to.
func newNames(addr net.Addr, more []string) names {
	host, port, err := net.SplitHostPort(addr.String())
	if strings.HasPrefix(addr.Network(), "unix") || err != nil {
		// No browser reaches a unix socket; a forwarder in front of it would
		// have to be told to use one of these names.
		return names{hosts: []string{"usher", "localhost"}}
	}
	if !loopback(addr) {
		if len(more) == 0 {
			return names{pages: true}
		}
		return names{hosts: append(forms(host, port), more...), pages: true}
	}
	n := names{hosts: slices.Clone(more), pages: true}
	for _, h := range []string{"localhost", "127.0.0.1", "::1", "host.docker.internal", host} {
		n.hosts = append(n.hosts, forms(h, port)...)
	}
	return n
}

// loopback reports whether only this machine reaches addr.
func loopback(addr net.Addr) bool {
	host, _, err := net.SplitHostPort(addr.String())
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback() || strings.HasPrefix(addr.Network(), "unix")
}

// forms are the Host values of host and port.
func forms(host, port string) []string {
	out := []string{net.JoinHostPort(host, port)}
	if port == "80" || port == "443" {
		out = append(out, strings.TrimSuffix(out[0], ":"+port))
	}
	return out
}

// host reports whether a Host value names the daemon. The unspecified
// addresses never do: a browser takes them for this machine, and lets any page
// send there.
func (n names) host(value string) bool {
	value = strings.ToLower(value)
	if len(n.hosts) > 0 {
		return slices.Contains(n.hosts, value)
	}
	name := value
	if h, _, err := net.SplitHostPort(value); err == nil {
		name = h
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return name != "" && (ip == nil || !ip.IsUnspecified())
}

// origin reports whether an Origin value is the daemon's own, for a request
// with the given Host.
func (n names) origin(value, host string) bool {
	authority, ok := strings.CutPrefix(value, "http://")
	if !ok {
		authority, ok = strings.CutPrefix(value, "https://")
	}
	switch {
	case !ok || !n.pages:
		return false
	case len(n.hosts) > 0:
		return slices.Contains(n.hosts, authority)
	default:
		return authority == strings.ToLower(host)
	}
}
