package provider

import (
	"fmt"
	"strings"
)

// BaseURLRule says where API calls with an access token go.
type BaseURLRule string

const (
	// BaseURLFixed: to [Provider.BaseURL], whatever the server says.
	BaseURLFixed BaseURLRule = ""
	// BaseURLResource: to the resource_url of the token answer, and to
	// [Provider.BaseURL] while no answer has named one. A token of such a server
	// is good at its own resource_url alone.
	BaseURLResource BaseURLRule = "resource_url"
)

// APIBase returns where API calls go with a token whose answer said resourceURL,
// or empty if that is not known. A resource_url is a host or a URL, to an API of
// OpenAI's shape: it is completed to a URL whose path ends in /v1. One that is
// not https (http for loopback hosts) is an error, as no token may be sent
// there; there is no falling back to another host, which would not take the
// token.
func (p Provider) APIBase(resourceURL string) (string, error) {
	if p.BaseURLRule != BaseURLResource || resourceURL == "" {
		return p.BaseURL, nil
	}
	base := resourceURL
	if !strings.Contains(base, "://") {
		base = "https://" + base
	}
	if strings.Contains(base, "?") {
		return "", fmt.Errorf("resource_url of %s: link has a query", p.Name)
	}
	if err := checkURL(base); err != nil {
		return "", fmt.Errorf("resource_url of %s: %w", p.Name, err)
	}
	base = strings.TrimRight(base, "/")
	if _, rest, _ := strings.Cut(base, "://"); !hasVersion(rest) {
		base += "/v1"
	}
	return base, nil
}

// hasVersion reports whether the path of hostAndPath ends in /v1, which a host
// of that name is not.
func hasVersion(hostAndPath string) bool {
	_, path, _ := strings.Cut(hostAndPath, "/")
	return path == "v1" || strings.HasSuffix(path, "/v1")
}
