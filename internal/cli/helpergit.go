package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/internal/credhelper"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/secret"
)

const helperGitHelp = `Answer git with an access token, as a credential helper (gitcredentials(7)). The
question comes on standard input, the answer goes to standard output.

usage: usher helper git [KEY] [flags] get|store|erase

  --host HOST   a host, or host:port, that may get the token of KEY besides the
                git_hosts of its provider; repeat for more

Without KEY the provider answers whose git_hosts has the host. Any other host
gets an empty answer, and git goes on without it. A host must be the same to the
letter, port included. Without TLS only an address of this machine gets a token,
such as 127.0.0.1:3000, and only if it is listed with its port.

get prints the token. If a login is needed it says so, and git gives up instead
of asking for a password. erase tells that the server refused the token: if it
is still the one that is kept, it is renewed. store does nothing.

example, in ~/.gitconfig:
  [credential "https://github.com"]
      helper = !usher helper git github
`

// helperGitOptions are the arguments of helper git.
type helperGitOptions struct {
	key       string // empty: by the host
	hosts     []string
	operation string
}

func (a *app) helperGitCommand() *cobra.Command {
	var o helperGitOptions
	cmd := a.command(&cobra.Command{
		Use: "git [KEY] get|store|erase", Short: "answer git", Long: helperGitHelp,
		Args: func(_ *cobra.Command, args []string) error {
			switch len(args) {
			case 1, 2:
				return nil
			}
			return fmt.Errorf("only KEY and one of get, store and erase are expected")
		},
	}, func(ctx context.Context, args []string) error {
		o.operation = args[len(args)-1]
		if len(args) == 2 {
			o.key = args[0]
		}
		return a.runHelperGit(ctx, o)
	})
	cmd.Flags().StringArrayVar(&o.hosts, "host", nil, "a host that may get the token of KEY")
	return cmd
}

func (a *app) runHelperGit(ctx context.Context, o helperGitOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.operation != "get" && o.operation != "erase" {
		return nil // as git wants it of what a helper has no use for
	}
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	asked, err := readQuestion(ctx, a.in, credhelper.ParseGit)
	if err != nil {
		return err
	}
	dirs, err := a.dirs()
	if err != nil {
		return err
	}
	q := serverQuestion{key: o.key, protocol: asked.Protocol, host: asked.Host, hosts: o.hostsOf}
	by, err := q.answerers(catalogue(dirs))
	if err != nil || len(by) == 0 {
		return err
	}
	var answer string
	if o.operation == "erase" {
		err = a.gitErase(ctx, q, by, asked.Password)
	} else if answer, err = a.gitGet(ctx, dirs, q, by, asked); err != nil {
		// It is ours to answer: nobody has a password for what takes tokens.
		answer = credhelper.GitQuit
	}
	if printErr := a.printf("%s", answer); err == nil {
		err = printErr
	}
	return err
}

func (o helperGitOptions) check() error {
	if len(o.hosts) > 0 && o.key == "" {
		return usagef("--host needs a KEY, whose token the host may get")
	}
	if err := provider.CheckHosts(o.hosts); err != nil {
		return usagef("--host: %w", err)
	}
	return nil
}

func (o helperGitOptions) hostsOf(p provider.Provider) []string {
	return slices.Concat(p.GitHosts, o.hosts)
}

// gitGet is the answer with a token. As long as that is as simple as for
// quickToken, no session is opened.
func (a *app) gitGet(ctx context.Context, dirs config.Dirs, q serverQuestion, by []provider.Provider, asked credhelper.GitQuestion) (answer string, err error) {
	if len(by) == 1 && !a.debug {
		key, err := a.keyAt(by[0], q)
		if err != nil {
			return "", err
		}
		if t, ok := peekToken(dirs, key); ok && t.Binding.SameServer(by[0].Endpoints) {
			return a.gitAnswer(by[0], key, asked, func() (secret.String, time.Time, error) {
				return t.AccessToken, t.ExpiresAt, nil
			})
		}
	}
	err = a.withSession(ctx, func(ctx context.Context, s *session) error {
		p, key, err := a.answerer(ctx, s, q, by)
		if err != nil {
			return err
		}
		answer, err = a.gitAnswer(p, key, asked, func() (secret.String, time.Time, error) {
			t, err := readToken(ctx, s, api.TokenRequest{Key: key.String()})
			if err == nil {
				err = checkPlace(t, key.String())
			}
			return secret.New(t.AccessToken), t.ExpiresAt, err
		})
		return err
	})
	return answer, err
}

// gitAnswer is the answer with the token that is read, or none if git wants the
// password that goes with another name.
func (a *app) gitAnswer(p provider.Provider, key credential.Key, asked credhelper.GitQuestion, read func() (secret.String, time.Time, error)) (string, error) {
	username := cmp.Or(p.GitUsername, asked.Username, tokenUsername)
	if asked.Username != "" && asked.Username != username {
		a.sayf("usher: git asks for the password of %s at %s; the token of %s goes with the name %s",
			show(asked.Username), show(asked.Host), key, username)
		a.sayf("hint: leave the name out of the address of the repository, or set git_username of %s to it", p.Name)
		return "", nil
	}
	token, expires, err := read()
	if err != nil {
		return "", err
	}
	return credhelper.GitAnswer{Username: username, Password: token, Expires: expires}.Print()
}

// gitErase tells that a server refused the token, which is renewed if it is the
// one that is kept.
func (a *app) gitErase(ctx context.Context, q serverQuestion, by []provider.Provider, token secret.String) error {
	if token.Reveal() == "" {
		return nil
	}
	return a.withSession(ctx, func(ctx context.Context, s *session) error {
		_, key, err := a.answerer(ctx, s, q, by)
		if err == nil {
			_, err = readToken(ctx, s, api.TokenRequest{Key: key.String(), Rejected: token.Reveal()})
		}
		return err
	})
}
