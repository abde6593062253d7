//go:build failpoint

package failpoint_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/failpoint"
)

func TestMain(m *testing.M) {
	if os.Getenv("FAILPOINT_CHILD") != "" {
		for i := range 5 {
			failpoint.Hit("other")
			failpoint.Hit("here")
			fmt.Println(i)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestHitKillsAtTheNamedHit(t *testing.T) {
	for spec, want := range map[string]string{"here": "", "here:3": "0 1", "": "0 1 2 3 4", "elsewhere": "0 1 2 3 4", "here:9": "0 1 2 3 4"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "FAILPOINT_CHILD=1", "USHER_FAILPOINT="+spec)
		out, err := cmd.Output()
		if got := strings.Join(strings.Fields(string(out)), " "); got != want || (err != nil) != (want != "0 1 2 3 4") {
			t.Errorf("USHER_FAILPOINT=%q: ran %q, %v, want %q", spec, got, err, want)
		}
	}
}
