//go:build leakcanary

package broker

import (
	"log/slog"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/token"
)

// logHandedOut is the mistake that the leak test must notice: never build with
// the tag leakcanary but for that test.
func logHandedOut(log *slog.Logger, key credential.Key, t token.Token) {
	log.Debug("token handed out", "key", key.String(), "token", t.AccessToken.Reveal())
}
