package share

import (
	"fmt"
	"strings"
	"testing"
)

func TestRemember(t *testing.T) {
	if got := Remember("b a", "", "c", "a"); got != "a c b" {
		t.Errorf("Remember = %q, want the newest first, each once", got)
	}
	if Remembers("", "") || Remembers("ab", "a") || !Remembers("ab a", "a") {
		t.Error("Remembers is true of what is not there, or false of what is")
	}
	seen := ""
	for n := range 2 * maxSeen {
		seen = Remember(seen, fmt.Sprint(n))
	}
	if n := len(strings.Fields(seen)); n != maxSeen || Remembers(seen, fmt.Sprint(maxSeen-1)) || !Remembers(seen, fmt.Sprint(maxSeen)) {
		t.Errorf("remembers %d, want the last %d", n, maxSeen)
	}
}
