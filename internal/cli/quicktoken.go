package cli

import (
	"context"
	"fmt"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/internal/filelock"
	"github.com/usherauth/usher/token"
)

// quickToken does what "usher token KEY" has to do nearly always: no daemon
// runs, the stored token is good, and it is printed. That takes none of what
// the commands are made of, and saves a third of the time that the program
// needs, which scripts and agents spend before each request of theirs. It
// changes nothing, so that an interrupt may end it anywhere. Whatever is not
// that simple it leaves to the command: then it has said nothing and is false.
func quickToken(args []string, stdio Stdio) (done bool) {
	if len(args) != 2 || args[0] != "token" || stdio.Getenv("USHER_DEBUG") != "" {
		return false
	}
	key, dirs, ok := quickKey(args[1], stdio.Getenv)
	if !ok {
		return false
	}
	t, ok := peekToken(dirs, key)
	if !ok {
		return false
	}
	_, err := fmt.Fprintln(stdio.Out, t.AccessToken.Reveal())
	return err == nil
}

// peekToken is the stored token of key, if no daemon runs and it is good as it is.
func peekToken(dirs config.Dirs, key credential.Key) (t token.Token, ok bool) {
	if held, err := filelock.Held(lockPath(dirs)); held || err != nil {
		return t, false
	}
	store, err := filestore.Open(dirs.Home)
	if err != nil {
		return t, false
	}
	c, err := store.Get(context.Background(), key)
	if err != nil {
		return t, false
	}
	return token.Peek(c, token.SystemClock().Now(), 0)
}

// quickKey is the key that name means, unless the rules of config.toml have to
// be asked for that, and the folders of this installation.
func quickKey(name string, getenv func(string) string) (key credential.Key, dirs config.Dirs, ok bool) {
	c, err := accountGiven(getenv, name, "")
	if err != nil {
		return key, dirs, false
	}
	if c.key == "" {
		cfg, err := config.Load(getenv)
		if err != nil || len(cfg.Accounts) > 0 {
			return key, dirs, false
		}
		c.key, dirs = name, cfg.Dirs
	} else if dirs, err = config.FindDirs(getenv); err != nil {
		return key, dirs, false
	}
	key, err = credential.ParseKey(c.key)
	return key, dirs, err == nil
}
