package cli

import (
	"log/slog"
	"path/filepath"

	sessions "github.com/usherauth/usher/session"
)

// sessions are those that the data folder keeps.
func (d *daemon) sessions(log *slog.Logger) *sessions.Hub {
	return sessions.Open(sessions.Config{
		Path: filepath.Join(d.dirs.Home, "sessions.json"), Log: log,
		Undelivered: func(typ, login string) {
			log.Warn("no client of a session got an event", "type", typ, "login", login)
		},
	})
}
