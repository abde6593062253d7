package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/credhelper"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/secret"
)

const helperDockerHelp = `Answer docker, podman, skopeo and their like with an access token, as a
docker-credential helper. The question comes on standard input, the answer goes
to standard output, and so does what went wrong: that is where they read it.

usage: usher helper docker get|store|erase|list

The provider answers whose docker_hosts has the registry, the same to the
letter, port included. For any other one, and where a login is needed, the
answer is that there are no credentials, and the tool goes on without. list
prints the registries that there is a login for. store and erase fail: usher
login and usher logout do that.

The tools look for docker-credential-usher on the PATH, a link to usher.

example, in ~/.docker/config.json:
  {"credHelpers": {"ghcr.io": "usher"}}
`

func (a *app) helperDockerCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use: "docker get|store|erase|list", Short: "answer docker", Long: helperDockerHelp,
		Args: arguments("get, store, erase or list"),
	}, func(ctx context.Context, args []string) error {
		return a.runHelperDocker(ctx, args[0])
	})
}

func (a *app) runHelperDocker(ctx context.Context, operation string) error {
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	var answer string
	var err error
	switch operation {
	case "get":
		answer, err = a.dockerGet(ctx)
	case "list":
		answer, err = a.dockerList(ctx)
	case "store":
		err = usagef("usher keeps no passwords").WithHint("for a token run: usher login KEY")
	case "erase":
		err = usagef("a login is not ended this way").WithHint("to end it run: usher logout KEY")
	default:
		err = usagef("unknown operation %s", show(operation)).WithHint("known are: get, store, erase, list")
	}
	if err != nil && answer == "" {
		answer = show(asError(err).Message)
	}
	if printErr := a.printf("%s\n", answer); err == nil {
		err = printErr
	}
	return err
}

// dockerGet is the answer for the registry on standard input.
func (a *app) dockerGet(ctx context.Context) (answer string, err error) {
	server, err := readQuestion(ctx, a.in, credhelper.ParseDocker)
	if err != nil {
		return "", err
	}
	dirs, err := a.dirs()
	if err != nil {
		return "", err
	}
	q := serverQuestion{
		protocol: server.Protocol, host: server.Host,
		hosts: func(p provider.Provider) []string { return p.DockerHosts },
	}
	by, err := q.answerers(catalogue(dirs))
	if err != nil {
		return "", err
	}
	if len(by) == 0 {
		return credhelper.DockerNotFound, exitCode(api.ExitError)
	}
	err = a.withSession(ctx, func(ctx context.Context, s *session) error {
		p, key, err := a.answerer(ctx, s, q, by)
		if err != nil {
			return err
		}
		t, err := readToken(ctx, s, api.TokenRequest{Key: key.String()})
		if err == nil {
			err = checkPlace(t, key.String())
		}
		if err != nil {
			return err
		}
		answer, err = credhelper.PrintDocker(server, dockerUsername(p), secret.New(t.AccessToken))
		return err
	})
	if neededLogin(err) != nil {
		answer = credhelper.DockerNotFound
	}
	return answer, err
}

// dockerList is the user name for each registry that there is a login for.
func (a *app) dockerList(ctx context.Context) (answer string, err error) {
	err = a.withSession(ctx, func(ctx context.Context, s *session) error {
		creds, err := s.Credentials(ctx)
		if err != nil {
			return err
		}
		hosts := map[string]string{}
		for _, p := range catalogue(s.dirs).List() {
			if len(p.DockerHosts) == 0 {
				continue
			}
			key, err := a.parseKey(p.Name, "")
			if err != nil {
				return err
			}
			if slices.ContainsFunc(creds, func(c api.Credential) bool { return c.Key == key.String() }) {
				for _, host := range p.DockerHosts {
					hosts[host] = dockerUsername(p)
				}
			}
		}
		line, err := json.Marshal(hosts)
		answer = string(line)
		return err
	})
	return answer, err
}

func dockerUsername(p provider.Provider) string { return cmp.Or(p.DockerUsername, tokenUsername) }
