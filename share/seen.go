package share

import (
	"slices"
	"strings"
)

// maxSeen is how many tokens are remembered: those of some days.
const maxSeen = 32

// Remember adds digests to seen, the memory of what a tool's file has held or a
// credential has spent (see credential.Share), the newest last; empty ones are
// nothing. An old copy of the file, put back from somewhere, is recognised by it.
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
