package cli

import (
	"errors"
	"os"
	"strings"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/provider"
)

// choice is the key that a command works with, and who chose its account.
type choice struct {
	key string
	// because is by what the account was chosen, such as "by USHER_ACCOUNT";
	// empty if the key names it, or if it is the default.
	because string
}

// resolveKey is the key that name means: name itself if it names an account, and
// else the account that --account, the environment or a rule for the working
// folder chooses.
func (a *app) resolveKey(name, account string) (string, error) {
	c, err := a.chooseAccount(name, account)
	return c.key, err
}

// parseKey is [app.resolveKey] for who needs the key in its parts.
func (a *app) parseKey(name, account string) (credential.Key, error) {
	name, err := a.resolveKey(name, account)
	if err != nil {
		return credential.Key{}, err
	}
	key, err := credential.ParseKey(name)
	if err != nil {
		return key, invalidKey(err)
	}
	return key, nil
}

// chooseAccount is [app.resolveKey], with the reason.
func (a *app) chooseAccount(name, account string) (choice, error) {
	c, err := accountGiven(a.getenv, name, account)
	if err != nil || c.key != "" {
		return a.chosen(c), err
	}
	cfg, err := config.Load(a.getenv)
	if err != nil {
		return choice{}, usagef("%w", err).WithHint("correct the file; or name the account: %s/ACCOUNT", show(name))
	}
	c, err = accountByRule(cfg, name)
	if err != nil {
		return choice{}, err
	}
	return a.chosen(c), nil
}

// chosen notes who chose, for --debug.
func (a *app) chosen(c choice) choice {
	if c.because != "" {
		a.log(silent).Debug("account chosen", "key", c.key, "because", c.because)
	}
	return c
}

// tellChoice tells a person which account something else than their command line
// has chosen.
func (a *app) tellChoice(c choice) {
	if c.because != "" && c.because != byFlag {
		a.sayf("The account is %s, %s.", c.key, c.because)
	}
}

// byFlag needs no telling: who typed it knows.
const byFlag = "by --account"

// accountGiven chooses the account that the key, the flag or the environment
// names. The choice is empty if none of them does.
func accountGiven(getenv func(string) string, name, account string) (choice, error) {
	provider, own, found := strings.Cut(name, "/")
	switch {
	case found && account != "" && own != account:
		return choice{}, usagef("%s names the account %s, and --account the account %s", show(name), show(own), show(account))
	case found:
		return choice{key: name}, nil
	case account != "":
		return choice{provider + "/" + account, byFlag}, nil
	}
	for _, variable := range []string{accountVariable(provider), "USHER_ACCOUNT"} {
		account := getenv(variable)
		if account == "" {
			continue
		}
		if _, err := credential.ParseKey("x/" + account); err != nil {
			return choice{}, usagef("%s is %q, which is no name of an account", variable, show(account)).
				WithHint("an account is a name such as work, without its provider")
		}
		return choice{provider + "/" + account, "by " + variable}, nil
	}
	return choice{}, nil
}

// providerOf is the provider that a key names, as far as it is a key.
func providerOf(key string) string {
	name, _, _ := strings.Cut(key, "/")
	return name
}

// accountVariable names the variable that chooses the account of one provider.
func accountVariable(provider string) string {
	return "USHER_ACCOUNT_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(provider))
}

// accountByRule chooses by the rules of config.toml: of the folders that hold
// the working folder and name an account of the provider, the nearest one
// decides. Without such a one it is the default account.
func accountByRule(cfg config.Config, name string) (choice, error) {
	if len(cfg.Accounts) == 0 {
		return choice{key: name}, nil
	}
	dir, err := os.Getwd()
	var rules config.Accounts
	if err == nil {
		rules, err = cfg.Accounts.Holding(dir)
	}
	if err != nil {
		return choice{}, usagef("finding the rule for the working folder: %w", err).
			WithHint("name the account: %s/ACCOUNT; %s/default is the one without a name", show(name), show(name))
	}
	if err := checkRules(cfg, rules); err != nil {
		return choice{}, err
	}
	for i, rule := range rules {
		key, ok := rule.For(name)
		if !ok {
			continue
		}
		if other, ok := rivalOf(rules[i+1:], rule, key); ok {
			return choice{}, usagef("%s: %s and %s are one folder, with two accounts of %s", show(cfg.ConfigFile), show(rule.Folder), show(other), show(name)).
				WithHint("keep one of the two, or name the account: %s/ACCOUNT", show(name))
		}
		return choice{key.String(), "by the rule for " + show(rule.Folder)}, nil
	}
	return choice{key: name}, nil
}

// rivalOf is another rule for the folder of rule that names another account, if
// there is one among those behind it.
func rivalOf(behind config.Accounts, rule config.FolderAccounts, key credential.Key) (folder string, found bool) {
	for _, other := range behind {
		if k, ok := other.For(key.Provider); ok && k != key && sameFile(other.Path, rule.Path) {
			return other.Folder, true
		}
	}
	return "", false
}

// checkRules wants a provider for each account of the rules: a slip would choose
// the default account without a word.
func checkRules(cfg config.Config, rules config.Accounts) error {
	c := catalogue(cfg.Dirs)
	for _, rule := range rules {
		for _, key := range rule.Keys {
			if _, err := c.Lookup(key.Provider); errors.Is(err, provider.ErrUnknown) {
				return api.Errorf(api.CodeUnknownProvider, "%s: accounts.%q: %w", show(cfg.ConfigFile), show(rule.Folder), err).
					WithHint("correct the rule; usher provider list shows the providers")
			}
		}
	}
	return nil
}
