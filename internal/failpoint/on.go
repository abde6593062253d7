//go:build failpoint

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

var hits atomic.Int64

// Hit kills the process if USHER_FAILPOINT names this place and it was hit as
// often as is asked for.
func Hit(name string) {
	at, number, _ := strings.Cut(os.Getenv("USHER_FAILPOINT"), ":")
	if at != name {
		return
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		n = 1
	}
	if hits.Add(1) != n {
		return
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {} // nothing after this place may run
}
