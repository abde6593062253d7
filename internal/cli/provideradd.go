package cli

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/provider"
)

const providerAddHelp = `Add a provider. With the name of one that comes with usher, only the settings
given here override its own.

usage: usher provider add NAME --issuer URL --client-id ID [flags]
       usher provider add NAME --device-endpoint URL --token-endpoint URL
                               --client-id ID [flags]

  --issuer URL                   the authorization server; endpoints are
                                 discovered there
  --device-endpoint URL          device authorization endpoint (RFC 8628)
  --token-endpoint URL           token endpoint
  --revocation-endpoint URL      revocation endpoint (RFC 7009)
  --authorization-endpoint URL   authorization endpoint
  --client-id ID                 the OAuth client
  --client-secret-file F         a file with its secret and nothing else
  --auth-style S                 how the client authenticates: none, post, basic
  --scope S                      ask for this scope; repeat for more
  --dialect D                    known deviations: standard, qwen, github
  --resource URL                 the resource to ask tokens for (RFC 8707)
  --title T                      a name for people
  --force                        replace the file that exists
  --json                         print the provider as JSON

examples:
  usher provider add example --issuer https://id.example.com --client-id abc \
      --scope openid --scope offline_access
  usher provider add github --client-id Ov23abc
`

// providerAddOptions are the arguments of provider add.
type providerAddOptions struct {
	spec provider.Spec
	json bool
}

func (a *app) providerAddCommand() *cobra.Command {
	var o providerAddOptions
	cmd := a.command(&cobra.Command{
		Use: "add NAME", Short: "add a provider", Long: providerAddHelp, Args: arguments("NAME"),
	}, func(_ context.Context, args []string) error {
		o.spec.Name = args[0]
		return a.runProviderAdd(o)
	})
	f, s := cmd.Flags(), &o.spec.Settings
	f.StringVar(&s.Issuer, "issuer", "", "the authorization server")
	f.StringVar(&s.DeviceAuthorizationEndpoint, "device-endpoint", "", "device authorization endpoint")
	f.StringVar(&s.TokenEndpoint, "token-endpoint", "", "token endpoint")
	f.StringVar(&s.RevocationEndpoint, "revocation-endpoint", "", "revocation endpoint")
	f.StringVar(&s.AuthorizationEndpoint, "authorization-endpoint", "", "authorization endpoint")
	f.StringVar(&s.ClientID, "client-id", "", "the OAuth client")
	f.StringVar(&s.ClientSecretFile, "client-secret-file", "", "a file with its secret")
	f.StringVar(&s.AuthStyle, "auth-style", "", "how the client authenticates")
	f.StringArrayVar(&s.Scopes, "scope", nil, "ask for this scope")
	f.StringVar(&s.Dialect, "dialect", "", "known deviations")
	f.StringVar(&s.Resource, "resource", "", "the resource to ask tokens for")
	f.StringVar(&s.Title, "title", "", "a name for people")
	f.BoolVar(&o.spec.Replace, "force", false, "replace the file that exists")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *app) runProviderAdd(o providerAddOptions) error {
	dirs, err := a.dirs()
	if err != nil {
		return err
	}
	if file := &o.spec.Settings.ClientSecretFile; *file != "" {
		// Logins will read it from anywhere.
		if *file, err = filepath.Abs(*file); err != nil {
			return api.Errorf(api.CodeInternal, "finding the working directory: %w", err)
		}
	}
	c := catalogue(dirs)
	path, err := c.Add(o.spec)
	if err != nil {
		return providerError(err)
	}
	p, err := c.Lookup(o.spec.Name)
	if err != nil {
		return providerError(err)
	}
	for _, w := range p.Warnings() {
		a.warnf("%s", show(w))
	}
	a.sayf("Wrote %s.", show(path))
	a.sayf("hint: to log in, run: usher login %s", p.Name)
	if o.json {
		return a.printJSON(summary(p))
	}
	return nil
}
