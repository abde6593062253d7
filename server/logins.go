package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
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

// errNotInitiator is a cancel of somebody else's login.
var errNotInitiator = &api.Error{
	Code:    api.CodeNotInitiator,
	Message: "the login was started by another client",
	Hint:    "send the client id that started it, or ?force=true to cancel it anyway",
}

// printable reports whether an origin can be shown to the person who approves:
// it is the caller's claim, and travels to the provider.
func printable(origin string) bool {
	return len(origin) <= maxOrigin && !strings.ContainsFunc(origin, func(r rune) bool { return !unicode.IsPrint(r) })
}

// startLogin is POST /v1/logins: 201 with a new login, 200 with one that was
// pending already.
func (g *gateway) startLogin(w http.ResponseWriter, r *http.Request) error {
	var req api.StartLogin
	if err := decode(w, r, &req); err != nil {
		return err
	}
	if !printable(req.Origin) {
		return api.Errorf(api.CodeInvalidRequest, "origin must be at most %d printable characters", maxOrigin)
	}
	by, err := g.caller(r)
	if err != nil {
		return err
	}
	req.ClientID, req.Owner, req.Trace = by.ClientID, by.Owner, trace(r)
	login, err := g.Broker.StartLogin(r.Context(), req)
	switch {
	case err != nil:
		return err
	case login.Attached:
		if !g.mayRead(login, by) {
			login = login.Public()
		}
		return writeJSON(w, r, http.StatusOK, login)
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
// With ?reveal=code it shows code and links also to who has not started the
// login, the owner or a holder of the bearer, which is recorded.
func (g *gateway) getLogin(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	wait, err := waitTime(query)
	if err != nil {
		return err
	}
	reveal, err := g.revealing(query)
	if err != nil {
		return err
	}
	by, err := g.caller(r)
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
	switch {
	case login.Ended(), g.started(login, by):
	case reveal:
		g.Broker.RecordReveal(r.Context(), login, by)
	case by.Owner:
	default:
		login = login.Public()
	}
	return writeJSON(w, r, http.StatusOK, login)
}

// mayRead reports whether by sees the code and the links of l unasked: they are
// for its initiator, and for the owner.
func (g *gateway) mayRead(l api.Login, by api.Caller) bool { return by.Owner || g.started(l, by) }

// started reports whether by is the initiator of l. Where nobody has shown who
// they are, nobody is.
func (g *gateway) started(l api.Login, by api.Caller) bool {
	return (by.Owner || !g.NoAuth) && l.Initiator == by.Name()
}

// revealing is the reveal parameter. It is guarded as the routes are that yield
// tokens.
func (g *gateway) revealing(query url.Values) (bool, error) {
	switch query.Get("reveal") {
	case "":
		return false, nil
	case "code":
		return true, g.checkStrict(guarded)
	default:
		return false, api.Errorf(api.CodeInvalidRequest, "reveal must be code")
	}
}

// waitTime is the wait parameter, capped; 0 without one.
func waitTime(query url.Values) (time.Duration, error) {
	text := query.Get("wait")
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
// Another client than the one that started it has to say ?force=true: the
// bearer allows it, so that this guards against accidents only.
func (g *gateway) cancelLogin(w http.ResponseWriter, r *http.Request) error {
	force, err := flag(r.URL.Query(), "force")
	if err != nil {
		return err
	}
	by, err := g.caller(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if !by.Owner && !force {
		// The initiator never changes, so that there is no race here.
		login, err := g.Broker.GetLogin(r.Context(), id)
		switch {
		case err != nil:
			return err
		case login.Initiator != by.Name():
			return errNotInitiator
		}
	}
	login, err := g.Broker.CancelLogin(r.Context(), id, by)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, login)
}

// completeLogin is POST /v1/logins/{id}/complete; it answers with what the login
// became, which its end alone says. It asks for no client id: the state that
// the answer has to carry tells who may bring it better than any header.
func (g *gateway) completeLogin(w http.ResponseWriter, r *http.Request) error {
	var req api.CompleteLogin
	if err := decode(w, r, &req); err != nil {
		return err
	}
	login, err := g.Broker.CompleteLogin(r.Context(), r.PathValue("id"), req)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, login.Public())
}

// flag is a query parameter that is true or false; false without one.
func flag(query url.Values, name string) (bool, error) {
	text := query.Get(name)
	if text == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, api.Errorf(api.CodeInvalidRequest, "%s must be true or false", name)
	}
	return on, nil
}
