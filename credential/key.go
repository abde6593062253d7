package credential

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/usherauth/usher/internal/safetext"
)

// DefaultAccount is the account a key names when it names none.
const DefaultAccount = "default"

// ErrInvalidKey is wrapped by every error of [ParseKey].
var ErrInvalidKey = errors.New("invalid key")

// isName reports whether s matches [a-z0-9][a-z0-9._-]{0,62}.
func isName(s string) bool {
	return safetext.Word(s, "._-", 1, 63) && s == strings.ToLower(s) && !strings.Contains("._-", s[:1])
}

// reservedNames are words of the command line; a provider of that name could
// not be addressed by it.
var reservedNames = []string{"all", "cancel", "complete", "list", "wait"}

// Key names a credential: a provider and an account there. The zero Key names
// nothing. Keys are comparable and both parts are always filled.
type Key struct {
	Provider string
	Account  string
}

// ParseKey reads "provider" or "provider/account". Both parts match
// [a-z0-9][a-z0-9._-]{0,62}; without an account it is [DefaultAccount].
// Names that are words of the command line are refused. Errors wrap
// [ErrInvalidKey].
func ParseKey(s string) (Key, error) {
	provider, account, found := strings.Cut(s, "/")
	if !found {
		account = DefaultAccount
	}
	if err := CheckName(provider); err != nil {
		return Key{}, fmt.Errorf("%w %q: provider %w", ErrInvalidKey, s, err)
	}
	if !isName(account) {
		return Key{}, fmt.Errorf("%w %q: account %w", ErrInvalidKey, s, errName)
	}
	return Key{Provider: provider, Account: account}, nil
}

var errName = errors.New("name must be 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit")

// CheckName reports why s cannot be a provider's name; nil if it can.
func CheckName(s string) error {
	switch {
	case !isName(s):
		return errName
	case slices.Contains(reservedNames, s):
		return fmt.Errorf("name %q is a word of the command line", s)
	}
	return nil
}

// String is the key as people write it: the provider alone for the default
// account, else provider/account.
func (k Key) String() string {
	if k.Account == DefaultAccount || k.Account == "" {
		return k.Provider
	}
	return k.Provider + "/" + k.Account
}

// Path is the key in two segments, always naming the account, as HTTP paths
// and stores use it.
func (k Key) Path() string { return k.Provider + "/" + k.Account }

// IsZero reports whether k names nothing.
func (k Key) IsZero() bool { return k == Key{} }

// Compare orders keys by provider, then account, the default account first.
func (k Key) Compare(o Key) int {
	if c := strings.Compare(k.Provider, o.Provider); c != 0 || k.Account == o.Account {
		return c
	}
	switch DefaultAccount {
	case k.Account:
		return -1
	case o.Account:
		return 1
	}
	return strings.Compare(k.Account, o.Account)
}
