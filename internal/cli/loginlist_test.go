package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
)

func TestLoginLines(t *testing.T) {
	const id = "8c7e2f0a-5a53-4f7e-9a44-0b1d2f9a6c11"
	logins := []api.Login{
		{ID: id, Key: "box", Status: api.LoginDenied, Origin: "ada@box", EndedAt: noon.Add(-3 * time.Second)},
		{ID: id, Key: "github/work", Status: api.LoginPending, Origin: "eve\x1b[2J@box", ExpiresAt: noon.Add(9 * time.Minute)},
	}
	for columns, want := range map[int]string{
		0: `KEY          STATE    EXPIRES        ASKED BY          ID
box          denied   ended 3 s ago  ada@box           ` + id + `
github/work  pending  in 9 min       eve\u{1b}[2J@box  ` + id,
		80: `KEY          STATE    EXPIRES        ASKED BY
box          denied   ended 3 s ago  ada@box
github/work  pending  in 9 min       eve\u{1b}[2J@box`,
		40: `KEY          STATE    EXPIRES
box          denied   ended 3 s ago
github/work  pending  in 9 min`,
	} {
		if diff := cmp.Diff(want, strings.Join(loginLines(logins, noon, columns), "\n")); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", columns, diff)
		}
	}
}
