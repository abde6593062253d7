package safetext

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// MaxURL is the length in bytes up to which URL accepts a link.
const MaxURL = 4 << 10

// URL checks a link that a person is to open or that a request is to be sent to, and returns it as it may be
// shown. The scheme is https, or http to a loopback host; there is no user information; the port, if any, is 1 to
// 65535; every byte is one that RFC 3986 allows, so there is no space, control character, backslash, quote or
// leading hyphen, and no percent-encoded control character either. A host is a DNS name, an IPv4 address or a
// bracketed IPv6 address without a zone. Letters outside ASCII are refused: an internationalized host has to come in
// its punycode form (xn--...) and is shown in it, so that no look-alike letter reaches a person.
//
// The shown form differs from raw in one thing: the characters $ ' ( ) are percent-encoded, because people paste
// links into shells. Errors say what is wrong and never repeat the link.
func URL(raw string) (shown string, err error) {
	if len(raw) > MaxURL {
		return "", fmt.Errorf("link is longer than %d bytes", MaxURL)
	}
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return "", errors.New("link holds a character that a URL cannot hold")
		}
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("link cannot be parsed") // the parser's own text repeats the link
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("link must begin with https://")
	case u.Opaque != "" || u.Host == "":
		return "", errors.New("link has no host")
	case u.User != nil:
		return "", errors.New("link carries user information")
	case hasEncodedControl(raw):
		return "", errors.New("link holds an encoded control character")
	}
	if err := checkHost(u); err != nil {
		return "", err
	}
	if u.Scheme == "http" && !IsLoopback(u.Hostname()) {
		return "", errors.New("link must begin with https:// (http is for loopback hosts)")
	}
	return shellSafe.Replace(raw), nil
}

var shellSafe = strings.NewReplacer("$", "%24", "'", "%27", "(", "%28", ")", "%29")

// IsLoopback reports whether host, a name or an address without port and brackets, is this machine by its
// spelling: localhost, 127.0.0.0/8 or ::1. No name is resolved.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() && !ip.Is4In6()
}

func checkHost(u *url.URL) error {
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return errors.New("link has an invalid port")
		}
	} else if strings.HasSuffix(u.Host, ":") {
		return errors.New("link has an empty port")
	}
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() || ip.Zone() != "" {
			return errors.New("link has an invalid IPv6 address")
		}
		return nil
	}
	if len(host) > 253 {
		return errors.New("link has a host name that is too long")
	}
	for label := range strings.SplitSeq(host, ".") {
		if !isLabel(label) {
			return errors.New("link has an invalid host name")
		}
	}
	return nil
}

// isLabel reports whether s can be one label of a host name: letters, digits, hyphens inside, and the
// underscore that some private networks use.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r != '_' && notUserCode(r) })
}

func hasEncodedControl(raw string) bool {
	for {
		i := strings.IndexByte(raw, '%')
		if i < 0 || len(raw) < i+3 {
			return false
		}
		if n, err := strconv.ParseUint(raw[i+1:i+3], 16, 8); err == nil && (n < ' ' || n == 0x7f) {
			return true
		}
		raw = raw[i+1:]
	}
}
