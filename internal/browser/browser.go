// Package browser opens a link in the browser of the person who runs the
// program, and knows when there is none: [ShouldOpen] says whether to, [Open]
// does. Only the command line uses it; a daemon opens nothing and starts nothing.
package browser

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/usherauth/usher/internal/safetext"
)

// patience is how long a program that opens links may take to fail. One that
// still runs then is the browser itself, or is starting it. Tests change it.
var patience = 2 * time.Second

// Open opens link in a browser: the one that BROWSER names, else that of the
// system. It returns as soon as that was started, within two seconds, or with an
// error that says why nothing was. The end of ctx ends the wait, not the browser.
//
// The link must be what [safetext.URL] allows: https, or http to this machine. It
// is one argument of a program that no shell starts. That program has neither our
// terminal nor the daemon's token, and outlives us.
func Open(ctx context.Context, link string, getenv func(string) string) error {
	link, err := safe(link)
	if err != nil {
		return fmt.Errorf("no browser is opened: %w", err)
	}
	if err := open(ctx, link, getenv); err != nil {
		return fmt.Errorf("no browser could be started: %w", err)
	}
	return nil
}

// safe checks link, and writes it anew from its parts.
func safe(link string) (string, error) {
	link, err := safetext.URL(link)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(link)
	if err != nil {
		return "", errors.New("link cannot be parsed")
	}
	return u.String(), nil
}

// start runs the first of commands that can be run.
func start(ctx context.Context, commands [][]string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var trouble error // the first one
	for _, argv := range commands {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		path, err := exec.LookPath(argv[0])
		if errors.Is(err, exec.ErrNotFound) {
			continue // the next one may be installed
		}
		if err == nil {
			err = run(ctx, path, argv[1:])
		}
		if err == nil {
			return nil
		}
		if trouble == nil {
			trouble = fmt.Errorf("%s: %w", safetext.Line(filepath.Base(argv[0]), 0), err)
		}
	}
	if trouble == nil {
		return errors.New("none is installed")
	}
	return trouble
}

// run starts a program and reports whether it failed before ctx ended.
func run(ctx context.Context, path string, args []string) error {
	cmd := exec.Command(path, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), private)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // however long it lives, it is no zombie
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

// private reports whether a browser has no business with a variable.
func private(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return strings.HasSuffix(name, "_SERVER_TOKEN")
}
