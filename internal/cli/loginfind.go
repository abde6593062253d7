package cli

import (
	"context"
	"regexp"

	"github.com/usherauth/usher/api"
)

// findLogin returns the login that name means: that of an id, or else of a key,
// the one that is pending, or the newest that has ended. What it returns has
// code and links while it is pending.
func (a *app) findLogin(ctx context.Context, s *session, name string) (api.Login, error) {
	if isLoginID(name) {
		l, err := s.GetLogin(ctx, name)
		if e := asError(err); err != nil && e.Code == api.CodeLoginNotFound {
			return l, e.WithHint("%s\nsee what is pending: usher login list", e.Hint)
		}
		return l, err
	}
	parsed, err := a.parseKey(name, "")
	if err != nil {
		return api.Login{}, err
	}
	key := parsed.String()
	recent, err := recentLogins(ctx, s)
	if err != nil {
		return api.Login{}, err
	}
	var found api.Login
	for _, l := range recent { // oldest first; one at most is pending
		if l.Key == key && (found.ID == "" || found.Ended()) {
			found = l
		}
	}
	if found.ID == "" {
		return found, api.Errorf(api.CodeLoginNotFound, "no login for %s is pending, and none has just ended", key).
			WithHint("start one: usher login %s\nsee what is pending: usher login list", key)
	}
	return s.GetLogin(ctx, found.ID)
}

// isLoginID reports whether name is of the form of a login's id rather than a key.
func isLoginID(name string) bool {
	return regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(name)
}
