//go:build !leakcanary

package broker

import (
	"log/slog"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/token"
)

// logHandedOut logs that somebody was given a token. The tag leakcanary puts a
// variant in its place that logs the token itself, for the test which proves
// that it would notice.
func logHandedOut(log *slog.Logger, key credential.Key, t token.Token) {
	log.Debug("token handed out", "key", key.String(), "expires_at", t.ExpiresAt)
}
