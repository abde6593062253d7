package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/conffile"
	"github.com/usherauth/usher/secret"
)

// tokenVariables are where the daemon's token may come from, in their order.
// There is no flag for its value: command lines can be read by everybody.
var tokenVariables = []string{"USHER_SERVER_TOKEN", "QWEN_SERVER_TOKEN"}

// serverToken finds the bearer token that clients of the daemon must present.
func (a *app) serverToken(home, file string) (secret.String, error) {
	if file != "" {
		return a.tokenFromFile(file)
	}
	for _, name := range tokenVariables {
		if text := strings.TrimSpace(a.getenv(name)); text != "" {
			return checkToken(name, text)
		}
	}
	path := filepath.Join(home, serverTokenFile)
	_, err := os.Stat(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	token, err := homeSecret(home, serverTokenFile)
	if err != nil {
		return secret.String{}, storeError(err)
	}
	if isNew {
		a.sayf("Made a token for clients of the daemon; it is in %s", show(path))
	}
	return token, nil
}

func (a *app) tokenFromFile(path string) (secret.String, error) {
	data, info, err := conffile.Read(path, 4<<10)
	if err != nil {
		return secret.String{}, usagef("--token-file: %w", err)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 && runtime.GOOS != "windows" {
		a.warnf("others may read the token in %s (mode %04o): run chmod 600 on it", show(path), perm)
	}
	return checkToken(path, strings.TrimSpace(string(data)))
}

// checkToken refuses what cannot be a bearer token (RFC 6750 section 2.1).
func checkToken(from, text string) (secret.String, error) {
	switch {
	case text == "":
		return secret.String{}, usagef("the daemon's token in %s is empty", show(from))
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return secret.String{}, api.Errorf(api.CodeInvalidRequest, "the daemon's token in %s must be one word of printable ASCII", show(from))
	}
	return secret.New(text), nil
}
