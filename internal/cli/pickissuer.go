package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/provider"
)

// discoveryPatience bounds how long a server may take to say what it offers.
const discoveryPatience = 20 * time.Second

// addByIssuer asks for a server by its address, and for what else a login there
// needs. It returns the name of the new provider.
func (p *picker) addByIssuer(ctx context.Context) (string, error) {
	said := ""
	for {
		answer, err := p.ask(ctx, said+"The address of the server (its issuer), such as https://id.example.com\n\nAddress (Enter alone goes back): ")
		if err == nil && answer == "" {
			err = wrongAnswer("")
		}
		if err != nil {
			return "", err
		}
		issuer := withScheme(answer)
		p.err.Live("Asking " + show(issuer) + " what it offers")
		found, err := p.discover(ctx, issuer)
		p.err.Erase()
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err != nil {
			said = "That did not work: " + show(whyNot(err)) + ".\n\n"
			continue
		}
		name, err := p.askName(ctx, issuer, offers(found))
		if err != nil {
			return "", err
		}
		return name, p.write(ctx, clientQuestions{
			name: name, intro: "usher needs a client there. Register one, as a public client if you are asked.\n\n",
			code: found.AuthorizationEndpoint != "", settings: provider.Settings{Issuer: issuer},
			scopes: true, offered: usualScopes(found),
		})
	}
}

// withScheme is an address as a URL.
func withScheme(address string) string {
	if strings.Contains(address, "://") {
		return address
	}
	host, _, _ := strings.Cut(address, "/")
	host, _, _ = strings.Cut(host, ":")
	if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.IsLoopback() {
		return "http://" + address
	}
	return "https://" + address
}

// discover asks a server what it offers.
func (p *picker) discover(ctx context.Context, issuer string) (*oauth.Metadata, error) {
	asking, cancel := context.WithTimeout(ctx, discoveryPatience)
	defer cancel()
	found, err := oauth.Discover(asking, nil, issuer)
	switch {
	case asking.Err() != nil && ctx.Err() == nil:
		return nil, errors.New("it did not answer within " + span(discoveryPatience))
	case err != nil:
		return nil, err
	case found.DeviceAuthorizationEndpoint == "" && found.AuthorizationEndpoint == "":
		return nil, provider.ErrNoLoginEndpoint
	}
	return found, nil
}

// whyNot is why a server could not be asked what it offers, for a person who may
// have mistyped its address.
func whyNot(err error) string {
	var (
		name  *net.DNSError
		about *oauth.Error
	)
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return "there is no server called " + name.Name
	case !errors.As(err, &about):
		return err.Error()
	case about.Status == http.StatusNotFound:
		return "no OAuth server answers at that address"
	case about.Kind != oauth.KindNetwork && about.Kind != oauth.KindTLS:
		return err.Error()
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return "the server cannot be reached: " + err.Error()
}

// offers says by what ways one can log in at a server.
func offers(m *oauth.Metadata) string {
	switch {
	case m.AuthorizationEndpoint == "":
		return "It lets you log in with a code on any device."
	case m.DeviceAuthorizationEndpoint == "":
		return "It lets you log in in a browser that comes back to this machine."
	}
	return "It lets you log in with a code on any device, or in a browser that comes back to this machine."
}

// usualScopes are those of the server that a login is of use with.
func usualScopes(m *oauth.Metadata) string {
	var scopes []string
	for _, s := range []string{"openid", "offline_access"} {
		if slices.Contains(m.Scopes, s) {
			scopes = append(scopes, s)
		}
	}
	return strings.Join(scopes, " ")
}

// askName asks what to call the new provider.
func (p *picker) askName(ctx context.Context, issuer, said string) (string, error) {
	offered := p.nameFor(issuer)
	otherwise := ""
	if offered != "" {
		otherwise = " (Enter alone: " + offered + ")"
	}
	for {
		name, err := p.ask(ctx, "Found it. "+said+"\n\nA short name for it"+otherwise+": ")
		if err != nil {
			return "", err
		}
		if name == "" {
			name = offered
		}
		if err := p.checkNew(name); err == nil {
			return name, nil
		} else {
			said = sentence(err.Error())
		}
	}
}

// checkNew wants a name that no provider has.
func (p *picker) checkNew(name string) error {
	if err := credential.CheckName(name); err != nil {
		return err
	}
	if _, err := p.catalogue.Lookup(name); !errors.Is(err, provider.ErrUnknown) || name == another {
		return errors.New("there is a provider " + name + " already")
	}
	return nil
}

// nameFor makes a name of the address of a server: the part of it that says most.
func (p *picker) nameFor(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	labels := strings.Split(strings.ToLower(u.Hostname()), ".")
	name := labels[0]
	if len(labels) > 1 {
		name = labels[len(labels)-2]
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil || p.checkNew(name) != nil {
		return ""
	}
	return name
}
