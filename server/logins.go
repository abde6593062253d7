package server

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/usherauth/usher/api"
)

// maxWait bounds a long poll. It stays below the time after which the usual
// proxies give up on a silent connection.
const maxWait = 60 * time.Second

// maxOrigin is longer than every user@host.
const maxOrigin = 320

// printable reports whether an origin can be shown to the person who approves:
// it is the caller's claim, and travels to the provider.
func printable(origin string) bool {
	return len(origin) <= maxOrigin && !strings.ContainsFunc(origin, func(r rune) bool { return !unicode.IsPrint(r) })
}

// startLogin is POST /v1/logins: 201 with a new login, 200 with one that was
// pending already. A daemon without a token shows code and links only with the
// new one.
func (g *gateway) startLogin(w http.ResponseWriter, r *http.Request) error {
	var req api.StartLogin
	if err := decode(w, r, &req); err != nil {
		return err
	}
	if !printable(req.Origin) {
		return api.Errorf(api.CodeInvalidRequest, "origin must be at most %d printable characters", maxOrigin)
	}
	login, err := g.Broker.StartLogin(r.Context(), req)
	switch {
	case err != nil:
		return err
	case login.Attached:
		return writeJSON(w, r, http.StatusOK, g.shown(login))
	default:
		w.Header().Set("Location", "/v1/logins/"+login.ID)
		return writeJSON(w, r, http.StatusCreated, login)
	}
}

// listLogins is GET /v1/logins.
func (s *Server) listLogins(w http.ResponseWriter, r *http.Request) error {
	logins, err := s.Broker.Logins(r.Context())
	if err != nil {
		return err
	}
	// The broker leaves the codes out; a list is the wrong place to rely on it.
	public := make([]api.Login, len(logins))
	for i, l := range logins {
		public[i] = l.Public()
	}
	return writeJSON(w, r, http.StatusOK, api.LoginList{Logins: public})
}

// getLogin is GET /v1/logins/{id}. With ?wait=30s (or seconds) it answers when
// the login has ended, at the latest after that time with the pending login.
func (g *gateway) getLogin(w http.ResponseWriter, r *http.Request) error {
	wait, err := waitTime(r)
	if err != nil {
		return err
	}
	ask := g.Broker.GetLogin
	ctx := r.Context()
	if wait > 0 {
		ask = g.Broker.WaitLogin
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
		defer context.AfterFunc(g.waiting, cancel)()
	}
	login, err := ask(ctx, r.PathValue("id"))
	if err != nil && !(errors.Is(err, api.ErrLoginPending) && login.ID != "") {
		return err
	}
	return writeJSON(w, r, http.StatusOK, g.shown(login))
}

// shown is a login as a caller sees it who has not just started it. Where
// nobody has shown who they are, nobody is taken for the initiator.
func (g *gateway) shown(l api.Login) api.Login {
	if g.NoAuth && !g.trusted {
		return l.Public()
	}
	return l
}

// waitTime is the wait parameter, capped; 0 without one.
func waitTime(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if seconds, secondsErr := strconv.ParseUint(text, 10, 16); secondsErr == nil {
		wait, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || wait < 0 {
		return 0, api.Errorf(api.CodeInvalidRequest, "wait must be a duration such as 30s")
	}
	return min(wait, maxWait), nil
}

// cancelLogin is DELETE /v1/logins/{id}; it answers with what the login became.
func (s *Server) cancelLogin(w http.ResponseWriter, r *http.Request) error {
	login, err := s.Broker.CancelLogin(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, login)
}
