package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/internal/filelock"
)

const watchHelp = `Follow what happens at the daemon: logins that start and end, tokens that are
stored, renewed or need a login. What other commands do beside the daemon is
told within a second. No code, link or token is shown.

usage: usher watch [flags]

  --json        print one line of JSON for each event, as of GET /v1/events
  --type T      only this type, such as login.started or credential.refreshed;
                login or credential is all of a kind; repeat for more
  --key KEY     only what happens to KEY; repeat for more
  --since ID    begin after the event with this id, else now; all: with the
                oldest that the daemon still has
  --timeout D   end after this time, such as 10m

Ctrl-C, --timeout, or a reader that has seen enough ends it, with exit code 0.
If the daemon restarts, this goes on. An event of type stream.resync, which is
always shown, says that others may be missing: read the state anew then, with
usher status and usher login list.

examples:
  usher watch
  usher watch --json --type login.authorized --timeout 10m | head -n 1
`

// watchOptions are the arguments of watch.
type watchOptions struct {
	json    bool
	types   []string // empty: all
	keys    []string // empty: all
	since   string
	timeout time.Duration // 0: none
}

func (a *app) watchCommand() *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{Use: "watch", Short: "follow what happens", Long: watchHelp, Args: arguments()}
	a.command(cmd, func(ctx context.Context, _ []string) error {
		ctx, stop := untilUnread(ctx, cmd.OutOrStdout())
		defer stop()
		return a.runWatch(ctx, o)
	})
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringSliceVar(&o.types, "type", nil, "only events of this type")
	f.StringSliceVar(&o.keys, "key", nil, "only events of this key")
	f.StringVar(&o.since, "since", "", "begin after this event")
	f.DurationVar(&o.timeout, "timeout", 0, "end after this time")
	return cmd
}

func (a *app) runWatch(ctx context.Context, o watchOptions) error {
	if err := a.checkWatch(&o); err != nil {
		return err
	}
	dirs, err := a.dirs()
	if err != nil {
		return err
	}
	client, err := a.findDaemon(ctx, dirs)
	if err != nil {
		return err
	}
	if client == nil {
		return api.Errorf(api.CodeDaemonUnreachable, "there is no daemon to watch").WithHint("run: usher serve")
	}
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	if !o.json {
		a.sayf("Watching what happens; Ctrl-C ends it.")
	}
	go a.tellDaemon(ctx, dirs)
	return a.follow(ctx, client, o)
}

// checkWatch checks the flags, and writes keys as events have them.
func (a *app) checkWatch(o *watchOptions) error {
	if o.timeout < 0 {
		return usagef("--timeout must not be negative")
	}
	for _, t := range o.types {
		if !slices.ContainsFunc(eventTypes(), func(known string) bool { return isOfType(known, t) }) {
			return usagef("%s is no type of event", show(t)).WithHint("the types are: login, credential, %s", strings.Join(eventTypes(), ", "))
		}
	}
	for i, name := range o.keys {
		key, err := a.parseKey(name, "")
		if err != nil {
			return err
		}
		o.keys[i] = key.String()
	}
	return nil
}

// follow prints events until ctx ends.
func (a *app) follow(ctx context.Context, client *usher.Client, o watchOptions) error {
	if o.since == "all" {
		o.since = beforeAll
	}
	var last string // the id of the event before
	for e, err := range client.Events(ctx, o.since) {
		switch {
		case err != nil:
			return err
		case !o.wants(e) || last == "" && o.since == beforeAll && e.Type == api.EventStreamResync:
		case o.json:
			err = a.printJSON(e)
		default:
			err = a.printf("%s\n", a.eventLine(e, last, time.Now()))
		}
		last = e.ID
		if errors.Is(err, syscall.EPIPE) {
			return nil // the reader has seen enough
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wants reports whether e is to be shown.
func (o watchOptions) wants(e api.Event) bool {
	if e.Type == api.EventStreamResync {
		return true
	}
	ofType := func(t string) bool { return isOfType(e.Type, t) }
	return (len(o.types) == 0 || slices.ContainsFunc(o.types, ofType)) &&
		(len(o.keys) == 0 || slices.Contains(o.keys, eventKey(e)))
}

// isOfType reports whether an event of type t is asked for by want: its type, or
// what stands before the dot.
func isOfType(t, want string) bool { return t == want || strings.HasPrefix(t, want+".") }

// eventKey is the key that e is about, or nothing.
func eventKey(e api.Event) string {
	switch {
	case e.Login != nil:
		return e.Login.Key
	case e.Credential != nil:
		return e.Credential.Key
	}
	return ""
}

// tellDaemon says when the daemon goes away, until ctx ends. The stream finds its
// way back by itself, and says so with stream.resync.
func (a *app) tellDaemon(ctx context.Context, dirs config.Dirs) {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	there := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		held, err := filelock.Held(lockPath(dirs))
		if err != nil {
			continue
		}
		if there && !held {
			a.sayf("usher: the daemon has stopped; this goes on when it is back")
		}
		there = held
	}
}
