package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/filelock"
	"github.com/usherauth/usher/secret"
)

// The secrets of an installation: random, made when first needed, one file each
// in the data folder.
const (
	// aliasKeyFile keys the hash behind the labels of accounts.
	aliasKeyFile = "alias-key"
	// serverTokenFile is the daemon's bearer token when none is given.
	serverTokenFile = "server-token"
)

// homeSecretBytes is the randomness of a secret; its text is twice as long.
const homeSecretBytes = 32

// homeSecret returns the secret in the file name of the data folder, which is
// made if it is missing. Of several processes that need it first, one makes it
// and the others read that. The data folder must exist.
func homeSecret(home, name string) (secret.String, error) {
	path := filepath.Join(home, name)
	s, err := readHomeSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	lock, err := filelock.Acquire(ctx, filepath.Join(home, "secrets.lock"))
	if err != nil {
		return secret.String{}, fmt.Errorf("making %s: %w", name, err)
	}
	defer func() { _ = lock.Release() }() // it guards nothing after the write
	if s, err := readHomeSecret(path); !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	random := make([]byte, homeSecretBytes)
	rand.Read(random)
	text := hex.EncodeToString(random)
	if err := atomicfile.Write(path, []byte(text+"\n"), 0o600); err != nil {
		return secret.String{}, fmt.Errorf("making %s: %w", name, err)
	}
	return secret.New(text), nil
}

func readHomeSecret(path string) (secret.String, error) {
	data, err := atomicfile.Read(path, 4<<10)
	if err != nil {
		return secret.String{}, err
	}
	text := strings.TrimSpace(string(data))
	if raw, err := hex.DecodeString(text); err != nil || len(raw) != homeSecretBytes {
		return secret.String{}, fmt.Errorf("%s does not hold %d hexadecimal digits; delete it to have it made anew", path, 2*homeSecretBytes)
	}
	return secret.New(text), nil
}
