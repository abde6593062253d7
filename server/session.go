package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/uuid"
	"github.com/usherauth/usher/session"
)

// The codes of session routes, which only the compatible surface has.
const (
	codeSessionNotFound  = api.CompatSessionNotFound
	codeSessionLimit     = api.CompatTooManySessions
	codeSubscriberLimit  = api.CompatTooManySubscribers
	codeInvalidMaxQueued = "invalid_max_queued"
)

// iso8601 is the form of JavaScript's Date.toISOString.
const iso8601 = "2006-01-02T15:04:05.000Z"

// retryAfterLimit is when to come back, in seconds, to a limit that was reached.
const retryAfterLimit = "5"

// createSession is POST /session. It needs nothing to be logged in.
func (s *Server) createSession(w http.ResponseWriter, r *http.Request) error {
	fields, err := compatFields(w, r)
	if err != nil {
		return err
	}
	cwd, err := s.sessionCwd(fields["cwd"])
	if err != nil {
		return err
	}
	if _, err := clientID(r); err != nil {
		return err
	}
	created, err := s.Broker.Sessions().Create(cwd)
	switch {
	case errors.Is(err, session.ErrTooManySessions):
		w.Header().Set("Retry-After", retryAfterLimit)
		refusal := compat(http.StatusServiceUnavailable, codeSessionLimit,
			fmt.Sprintf("Session limit reached (%d)", session.MaxSessions))
		refusal.body.Limit, refusal.body.Scope = session.MaxSessions, "workspace"
		return refusal
	case err != nil:
		return err
	}
	return writeJSON(w, r, http.StatusOK, api.Session{
		SessionID: created.ID, WorkspaceCwd: created.Cwd,
		ClientID:  "client_" + uuid.New(),
		CreatedAt: created.CreatedAt.UTC().Format(iso8601),
	})
}

// sessionCwd is the folder that a client names for its session, the
// workspace's if it names none.
func (s *Server) sessionCwd(field json.RawMessage) (string, error) {
	if len(field) == 0 || string(field) == "null" {
		return s.Workspace, nil
	}
	var cwd string
	if err := json.Unmarshal(field, &cwd); err != nil || !filepath.IsAbs(cwd) || len(cwd) > session.MaxCwd {
		return "", compat(http.StatusBadRequest, string(api.CodeInvalidRequest), "`cwd` must be an absolute path")
	}
	return cwd, nil
}

// deleteSession is DELETE /session/{id}: its streams end.
func (s *Server) deleteSession(w http.ResponseWriter, r *http.Request) error {
	if _, err := clientID(r); err != nil {
		return err
	}
	if !s.Broker.Sessions().Delete(r.PathValue("id")) {
		return noSession(r)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// heartbeatSession is POST /session/{id}/heartbeat: the session is in use.
func (s *Server) heartbeatSession(w http.ResponseWriter, r *http.Request) error {
	client, err := s.touchSession(w, r)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, api.SessionHeartbeat{
		SessionID: r.PathValue("id"), ClientID: client, LastSeenAt: time.Now().UnixMilli(),
	})
}

// detachSession is POST /session/{id}/detach. A session does not keep its
// clients, so there is nothing to forget.
func (s *Server) detachSession(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.touchSession(w, r); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// touchSession notes the use of r's session and returns who uses it.
func (s *Server) touchSession(w http.ResponseWriter, r *http.Request) (client string, err error) {
	if _, err := compatFields(w, r); err != nil {
		return "", err
	}
	if client, err = clientID(r); err != nil {
		return "", err
	}
	if _, ok := s.Broker.Sessions().Touch(r.PathValue("id")); !ok {
		return "", noSession(r)
	}
	return client, nil
}

func noSession(r *http.Request) error {
	id := r.PathValue("id")
	refusal := compat(http.StatusNotFound, codeSessionNotFound, `No session with id "`+id+`"`)
	refusal.body.SessionID = id
	return refusal
}
