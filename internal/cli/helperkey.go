package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/credhelper"
	"github.com/usherauth/usher/provider"
)

// serverQuestion is a tool's question for the token of a server.
type serverQuestion struct {
	// key is whose token is asked for; empty to find out by the server.
	key string
	// protocol and host are the server's, as the tool says them.
	protocol, host string
	// hosts are those that may get a token of the provider.
	hosts func(provider.Provider) []string
}

// answerers are the providers whose token the server may get, of all or of the
// one that the key names. There is none for nearly every server in the world.
func (q serverQuestion) answerers(c *provider.Catalogue) ([]provider.Provider, error) {
	all := c.List()
	if q.key != "" {
		p, err := c.Lookup(providerOf(q.key))
		if err != nil {
			return nil, providerError(err)
		}
		all = []provider.Provider{p}
	}
	return slices.DeleteFunc(all, func(p provider.Provider) bool {
		return !credhelper.Hosts(q.hosts(p)).Allow(q.protocol, q.host)
	}), nil
}

// answerer is who answers q, of those that may, and with which key.
func (a *app) answerer(ctx context.Context, s *session, q serverQuestion, among []provider.Provider) (p provider.Provider, key credential.Key, err error) {
	if len(among) > 1 {
		if among, err = withLogin(ctx, s, among); err != nil {
			return p, key, err
		}
	}
	if len(among) > 1 {
		return p, key, usagef("several providers answer for %s: %s", show(q.host), names(among)).
			WithHint("let the settings of one of them alone name it; they are in the files that usher provider show NAME tells")
	}
	key, err = a.keyAt(among[0], q)
	return among[0], key, err
}

// withLogin leaves those that somebody is logged in to, or all if there is none.
func withLogin(ctx context.Context, s *session, among []provider.Provider) ([]provider.Provider, error) {
	creds, err := s.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	var in []provider.Provider
	for _, p := range among {
		if slices.ContainsFunc(creds, func(c api.Credential) bool { return c.Provider == p.Name }) {
			in = append(in, p)
		}
	}
	if len(in) == 0 {
		return among, nil
	}
	return in, nil
}

// keyAt is the key at p to answer q with: the one that is asked for, or else the
// provider's, with the account that the rules choose.
func (a *app) keyAt(p provider.Provider, q serverQuestion) (credential.Key, error) {
	return a.parseKey(cmp.Or(q.key, p.Name), "")
}

func names(providers []provider.Provider) string {
	var list []string
	for _, p := range providers {
		list = append(list, p.Name)
	}
	return strings.Join(list, ", ")
}

// tokenUsername goes with a token where nothing names another one. Servers that
// take a token for a password mostly do not look at the name.
const tokenUsername = "oauth2"
