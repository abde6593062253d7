package provider

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// CheckHosts holds each of hosts to the one form in which it is compared, as
// [Settings.GitHosts] are.
func CheckHosts(hosts []string) error {
	for i, host := range hosts {
		if !exactHost(host) {
			return fmt.Errorf("%q is no host: want a name in lower case, or an address, with :port where there is one, and no wildcard", host)
		}
		if slices.Contains(hosts[:i], host) {
			return fmt.Errorf("%s is there twice", host)
		}
	}
	return nil
}

// exactHost reports whether s is a host, with a port or without, as there is
// only one way to write it: a token goes where the text is the same.
func exactHost(s string) bool {
	host, port, found := s, "", false
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port, found = s[:i], s[i+1:], true
	}
	if n, err := strconv.Atoi(port); found && (err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port) {
		return false
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && ip.Is6() && ip.Zone() == "" && host == "["+ip.String()+"]"
	}
	return exactName(host)
}

// exactName reports whether s is a DNS name (RFC 1123 section 2.1) in lower
// case, or an IPv4 address.
func exactName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// checkUsername wants what can stand before the colon of a basic
// authentication (RFC 7617 section 2) and on a line of its own.
func checkUsername(s string) error {
	const limit = 255
	if len(s) > limit || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }) {
		return fmt.Errorf("must be at most %d printable ASCII characters without spaces and colons", limit)
	}
	return nil
}
