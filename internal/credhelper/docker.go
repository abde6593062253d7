package credhelper

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"

	"github.com/usherauth/usher/secret"
)

// DockerNotFound is what a helper that has nothing for a server says on standard
// output, with an exit code that is not 0. Clients compare it letter by letter,
// and go on without a login.
const DockerNotFound = "credentials not found in native keychain"

// maxServer bounds the address of a server.
const maxServer = 4 << 10

// DockerServer is the server that a client of the docker-credential protocol
// asks about.
type DockerServer struct {
	// URL is as the client says it.
	URL string
	// Protocol is "https" where it names none.
	Protocol string
	// Host is for [Hosts.Allow].
	Host string
}

// ParseDocker reads the address of a server: host, host:port or a URL, whose
// path says nothing about who may get the token.
func ParseDocker(r io.Reader) (DockerServer, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxServer+1))
	if err != nil {
		return DockerServer{}, err
	}
	// Some clients send a whole line.
	url := strings.TrimRight(string(text), "\r\n")
	switch {
	case len(text) > maxServer:
		return DockerServer{}, errors.New("the address of the server is too long")
	case url == "":
		return DockerServer{}, errors.New("no server is named")
	case strings.ContainsFunc(url, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar }):
		return DockerServer{}, errors.New("the address of the server has a space or a control character in it")
	}
	protocol, rest, found := strings.Cut(url, "://")
	if !found {
		protocol, rest = "https", url
	}
	host, _, _ := strings.Cut(rest, "/")
	return DockerServer{URL: url, Protocol: protocol, Host: host}, nil
}

// PrintDocker is the answer to "get", one line of JSON without its end.
func PrintDocker(server DockerServer, username string, password secret.String) (string, error) {
	line, err := json.Marshal(struct {
		ServerURL string
		Username  string
		Secret    string
	}{server.URL, username, password.Reveal()})
	return string(line), err
}
