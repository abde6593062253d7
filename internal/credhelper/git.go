package credhelper

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/secret"
)

// The bounds of a question. Git sends a few short lines, and what the server's
// WWW-Authenticate headers said.
const (
	maxLine     = 64 << 10
	maxQuestion = 1 << 20
)

// GitQuestion is what git asks about (git-credential(1)). What else it says is
// not used: the token of a host is the same for all its paths.
type GitQuestion struct {
	// Protocol and Host are as git says them, for [Hosts.Allow]; either may be
	// empty.
	Protocol, Host string
	// Username is what the address or git's configuration names, or empty.
	Username string
	// Password is what the server took or refused, for the operations store and
	// erase.
	Password secret.String
}

// ParseGit reads a question up to its empty line or its end. The error says what
// is wrong with it and repeats nothing of it.
func ParseGit(r io.Reader) (GitQuestion, error) {
	said, err := parseAttributes(r)
	return GitQuestion{
		Protocol: said["protocol"], Host: said["host"], Username: said["username"], Password: secret.New(said["password"]),
	}, err
}

// parseAttributes reads lines of the form key=value. Keys that end in [] may
// stand more than once; they are dropped.
func parseAttributes(r io.Reader) (map[string]string, error) {
	said := map[string]string{}
	lines := bufio.NewReaderSize(r, maxLine)
	for total := 0; total <= maxQuestion; {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, errors.New("a line is too long")
		case err != nil && err != io.EOF:
			return nil, err
		}
		total += len(line)
		text := strings.TrimSuffix(string(line), "\n")
		if text == "" {
			return said, nil
		}
		if err := addAttribute(said, text); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("there are too many lines")
}

func addAttribute(said map[string]string, line string) error {
	key, value, found := strings.Cut(line, "=")
	switch _, twice := said[key]; {
	case strings.ContainsAny(line, "\r\x00"):
		return errors.New("a line has a control character in it")
	case !found || key == "":
		return errors.New("a line is not of the form key=value")
	case strings.HasSuffix(key, "[]"):
		return nil
	case twice:
		return errors.New("two lines have the same key")
	}
	said[key] = value
	return nil
}

// GitAnswer is what git gets.
type GitAnswer struct {
	Username string
	Password secret.String
	// Expires is when the password ends; zero if that is not known.
	Expires time.Time
}

// GitQuit is the answer that has git ask nobody else, neither another helper nor
// the person: it then fails at once.
const GitQuit = "quit=1\n"

// Print returns a as git reads it. The error is for a user name or a password
// that would not stay within its line; it repeats nothing of it.
func (a GitAnswer) Print() (string, error) {
	var out strings.Builder
	for _, line := range []struct{ key, value string }{
		{"username", a.Username},
		{"password", a.Password.Reveal()},
		{"password_expiry_utc", unix(a.Expires)},
	} {
		switch text := line.key + "=" + line.value + "\n"; {
		case line.value == "":
		case strings.ContainsAny(line.value, "\r\n\x00"):
			return "", fmt.Errorf("the %s has a control character in it", line.key)
		case len(text) > maxLine:
			return "", fmt.Errorf("the %s is too long", line.key)
		default:
			out.WriteString(text)
		}
	}
	return out.String(), nil
}

func unix(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.Unix(), 10)
}
