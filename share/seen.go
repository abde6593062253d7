package share

import (
	"slices"
	"strings"
)

// maxSeen is how many tokens are remembered: those of some days.
const maxSeen = 32

// Remember is seen (see credential.Share) with digests, the newest given last;
// empty ones are nothing. By it an old copy of a tool's file is recognised that
// somebody put back: the server takes what it holds for stolen.
func Remember(seen string, digests ...string) string {
	all := strings.Fields(seen)
	for _, digest := range digests {
		if digest != "" {
			all = slices.DeleteFunc(all, func(old string) bool { return old == digest })
			all = append([]string{digest}, all...)
		}
	}
	return strings.Join(all[:min(len(all), maxSeen)], " ")
}

// Remembers reports whether digest is in seen.
func Remembers(seen, digest string) bool {
	return slices.Contains(strings.Fields(seen), digest)
}
