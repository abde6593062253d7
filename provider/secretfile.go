package provider

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/usherauth/usher/internal/conffile"
	"github.com/usherauth/usher/secret"
)

// maxSecretFile bounds the file of a client secret, in bytes; the longest in use
// are some hundred.
const maxSecretFile = 4 << 10

// ClientSecret reads the client secret from its file, each time, so that a
// secret can be exchanged under a running program. Space around it is cut
// off. A public client has the empty secret. Errors name the file and never its
// contents.
func (p Provider) ClientSecret() (secret.String, error) {
	if p.ClientSecretFile == "" {
		return secret.String{}, nil
	}
	data, _, err := conffile.Read(p.ClientSecretFile, maxSecretFile)
	if err != nil {
		return secret.String{}, fmt.Errorf("client secret of %s: %w", p.Name, err)
	}
	text := strings.TrimSpace(string(data))
	if err := checkSecret(text); err != nil {
		return secret.String{}, fmt.Errorf("client secret of %s: %s: %w", p.Name, p.ClientSecretFile, err)
	}
	return secret.New(text), nil
}

// checkSecret holds text to RFC 6749 appendix A.2. That keeps line breaks out
// of a header, and finds files that hold something else than one secret.
func checkSecret(text string) error {
	if text == "" {
		return errors.New("file is empty")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("file must hold one line of printable ASCII")
	}
	return nil
}

// Warnings are sentences about what works but should not stay as it is: a file
// with the client secret that others may read (not judged on Windows). An empty
// result is the good one.
func (p Provider) Warnings() []string {
	if p.ClientSecretFile == "" || runtime.GOOS == "windows" {
		return nil
	}
	info, err := os.Stat(p.ClientSecretFile)
	if err != nil {
		return nil // ClientSecret reports it to whom it concerns
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return []string{fmt.Sprintf("client secret file %s is open to others (mode %04o): run chmod 600 on it", p.ClientSecretFile, perm)}
	}
	return nil
}
