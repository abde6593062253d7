package server

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// anyOrigin is the pattern that allows every origin but the opaque one.
const anyOrigin = "*"

// ParseOrigin checks a pattern for [Config.AllowedOrigins]: the origin of a web
// page as browsers send it (RFC 6454 section 6.2), scheme://host[:port], with
// scheme http or https, or "*". A pattern in any other spelling would match
// nothing, so that it is an error, which names the spelling that is meant where
// there is one.
func ParseOrigin(s string) (string, error) {
	if s == anyOrigin {
		return s, nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" {
		return "", fmt.Errorf("origin %q is not scheme://host[:port]", s)
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme != "http" && scheme != "https" {
		return "", fmt.Errorf("origin %q is not http or https", s)
	}
	host, err := canonicalHost(u.Hostname(), strings.HasPrefix(u.Host, "["))
	if err != nil {
		return "", fmt.Errorf("origin %q: %w", s, err)
	}
	canonical := scheme + "://" + host
	if text := u.Port(); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			return "", fmt.Errorf("origin %q: port is not 1 to 65535", s)
		}
		if !(scheme == "http" && port == 80 || scheme == "https" && port == 443) {
			canonical += ":" + strconv.FormatUint(port, 10)
		}
	}
	if canonical != s {
		return "", fmt.Errorf("origin %q must be written %s", s, canonical)
	}
	return s, nil
}

// canonicalHost is host as browsers write it in an origin. A name in another
// script than ASCII stands in its encoded form there (RFC 5891), which is not
// worked out here.
func canonicalHost(host string, bracketed bool) (string, error) {
	if bracketed {
		ip, err := netip.ParseAddr(host)
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", fmt.Errorf("%q is not an IPv6 address", host)
		}
		return "[" + ip.String() + "]", nil
	}
	for _, c := range []byte(host) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && !('0' <= c && c <= '9') && !strings.ContainsRune("-._", rune(c)) {
			return "", fmt.Errorf("host is not a plain ASCII name or address")
		}
	}
	// What ends in a number is an IPv4 address to a browser, or nothing.
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last != "" && '0' <= last[0] && last[0] <= '9' {
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is4() {
			return "", fmt.Errorf("%q is not an IPv4 address", host)
		}
	}
	return strings.ToLower(host), nil
}
