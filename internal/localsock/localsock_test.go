package localsock_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/localsock"
)

func TestPath(t *testing.T) {
	root := string(filepath.Separator)
	short := filepath.Join(root, "home", "me", "usher")
	run := filepath.Join(root, "run", "user", "1000")
	if got, want := localsock.Path(short, run), filepath.Join(short, "daemon.sock"); got != want {
		t.Errorf("Path(short) = %q, want %q", got, want)
	}
	if got, want := localsock.Path(short+root, run), localsock.Path(short, run); got != want {
		t.Errorf("Path with a trailing separator = %q, want %q", got, want)
	}

	// The longest home whose socket is in it, and one byte more.
	longest := root + strings.Repeat("x", 100-len(root)-len(root+"daemon.sock"))
	if got, want := localsock.Path(longest, run), filepath.Join(longest, "daemon.sock"); got != want || len(got) != 100 {
		t.Errorf("Path(longest) = %q (%d bytes), want %q", got, len(got), want)
	}
	hashed := localsock.Path(longest+"x", run)
	if dir, name := filepath.Split(hashed); filepath.Clean(dir) != run || len(name) != len("usher-0123456789abcdef.sock") ||
		!strings.HasPrefix(name, "usher-") || !strings.HasSuffix(name, ".sock") {
		t.Errorf("Path(too long) = %q, want a hashed name in %q", hashed, run)
	}
	if again := localsock.Path(longest+"x"+root, run); again != hashed {
		t.Errorf("Path of the same home = %q, want %q", again, hashed)
	}
	if got := localsock.Path(longest+"x", ""); !filepath.IsAbs(got) {
		t.Errorf("Path without a runtime directory = %q, want an absolute one", got)
	}
	if other := localsock.Path(longest+"y", run); other == hashed {
		t.Errorf("Path of another home is the same: %q", other)
	}
}
