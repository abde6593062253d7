package cli

import (
	"testing"

	"github.com/usherauth/usher/provider"
)

// A token is written to a file with the name of its variable. In the place of a
// lock it would have the folder pass for one that was left behind.
func TestTokenFileIsNoLock(t *testing.T) {
	for _, lock := range []string{starterLock, attendantLock} {
		if provider.CheckVariable(lock) == nil {
			t.Errorf("%s can be the name of a variable", lock)
		}
	}
}
