package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/internal/filelock"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/server"
)

// daemon is a daemon that is about to serve.
type daemon struct {
	app       *app
	opts      serveOptions
	dirs      config.Dirs
	lock      *filelock.Lock
	file      *atomicfile.Staged // daemon.json
	crashed   bool               // the daemon before this one
	store     *filestore.Store
	catalogue *provider.Catalogue
	token     secret.String
	audit     *audit.File // nil: not asked for
	listeners []server.Listener
	reached   daemonFile
}

// startDaemon takes the data folder and listens. Nothing is served yet.
func (a *app) startDaemon(cfg config.Config, o serveOptions) (_ *daemon, err error) {
	d := &daemon{app: a, opts: o, dirs: cfg.Dirs, catalogue: catalogue(cfg.Dirs)}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.store, err = (filestore.Config{Dir: d.dirs.Home, RuntimeDir: d.dirs.RuntimeDir}).Open(); err != nil {
		return nil, storeError(err)
	}
	if err := d.takeFolder(); err != nil {
		return nil, err
	}
	if !o.noAuth {
		if d.token, err = a.serverToken(d.dirs.Home, o.tokenFile); err != nil {
			return nil, err
		}
	}
	if err := d.openAudit(); err != nil {
		return nil, err
	}
	if err := d.listen(); err != nil {
		return nil, err
	}
	return d, nil
}

// takeFolder makes this the one daemon of the data folder, and finds out that
// the folder can be written to before anybody relies on it.
func (d *daemon) takeFolder() error {
	lock, ok, err := filelock.TryAcquire(lockPath(d.dirs))
	if err != nil {
		return storeError(err)
	}
	if !ok {
		where := ""
		if f, err := readDaemonFile(d.dirs); err == nil {
			where = ", at " + show(f.Listen)
		}
		return api.Errorf(api.CodeDaemonRunning, "a daemon runs on %s already%s", show(d.dirs.Home), where).
			WithHint("the other commands use it by themselves; for a second one set USHER_HOME to another folder")
	}
	d.lock = lock
	// What a daemon that was killed left would lead to nowhere.
	err = os.Remove(daemonFilePath(d.dirs))
	if d.crashed = err == nil; err != nil && !errors.Is(err, os.ErrNotExist) {
		return storeError(err)
	}
	if d.file, err = atomicfile.Stage(daemonFilePath(d.dirs), 0o600, 4<<10); err != nil {
		return storeError(err)
	}
	return nil
}

// run serves until ctx ends.
func (d *daemon) run(ctx context.Context) error {
	a := d.app
	defer a.detach()()
	defer d.closeAudit() // while it can still tell of trouble
	log := a.log(slog.LevelWarn)
	records := &audit.Writer{Text: a.err}
	if d.audit != nil {
		records.JSON = d.audit
	}
	b := broker.New(broker.Config{
		Store: d.store, Providers: d.catalogue, Daemon: true, AfterCrash: d.crashed, MaxLogins: d.opts.maxLogins,
		OnDemand: d.opts.onDemand, Share: a.shareFile,
		Origin: origin(), Audit: records, Log: log, Sessions: d.sessions(log),
		AliasKey: func() (secret.String, error) { return homeSecret(d.dirs.Home, aliasKeyFile) },
	})
	served := &local{Broker: b, app: a, store: d.store}
	d.store = nil // served closes it
	s, err := server.New(server.Config{
		Broker: b, Token: d.token, NoAuth: d.opts.noAuth, StrictLoopback: d.opts.strictLoopback,
		RequireAuth: d.opts.requireAuth, AllowedOrigins: d.opts.allowOrigins, RateLimit: d.opts.rateLimit(),
		Workspace: d.opts.workspace,
		Version:   readVersion().Version, Log: log,
		Drain: func() {
			d.tellManager(sd.SdNotifyStopping + "\nSTATUS=stopping")
			served.close(drainBound)
		},
	})
	if err != nil {
		served.close(cancelBound)
		return api.Errorf(api.CodeInternal, "%w", err)
	}
	leave := sync.OnceFunc(d.attend(ctx)) // before anybody knows whom to send signals
	defer leave()
	if err := d.announce(); err != nil {
		served.close(cancelBound)
		return err
	}
	if err := s.Serve(ctx, d.listeners...); err != nil {
		return api.Errorf(api.CodeInternal, "%w", err)
	}
	leave() // so that this is the last word
	a.sayf("usher daemon stopped")
	return nil
}

// announce writes daemon.json and says where the daemon is reached.
func (d *daemon) announce() error {
	data, err := json.Marshal(d.reached)
	if err != nil {
		return api.Errorf(api.CodeInternal, "encoding daemon.json: %w", err)
	}
	if err := d.file.Commit(append(data, '\n')); err != nil {
		return storeError(err)
	}
	a := d.app
	if d.opts.json {
		if err := a.printJSON(d.reached); err != nil {
			return err
		}
	}
	a.sayf("usher daemon listening on %s", d.places())
	if d.openToOthers() {
		a.warnf("other machines can connect, and HTTP is not encrypted: put a TLS proxy in front, or use a tunnel")
	}
	switch {
	case d.opts.strictLoopback:
		a.warnf("no token is asked for: every program and user of this machine can see what is logged in to")
	case d.opts.noAuth:
		a.warnf("no token is asked for: every program and user of this machine can start and cancel logins")
	}
	// Reading them now shows mistakes to whoever starts the daemon.
	d.catalogue.List()
	a.warnAll(d.catalogue.Problems())
	d.tellManager(sd.SdNotifyReady + "\nSTATUS=listening on " + d.places())
	return nil
}

// close gives everything back that is still held.
func (d *daemon) close() {
	for _, l := range d.listeners {
		_ = l.Close() // as a rule the server has closed it
	}
	d.closeAudit()
	if d.file != nil {
		_ = d.file.Abort()
	}
	if d.store != nil {
		_ = d.store.Close() // nothing was written
	}
	if d.lock != nil {
		// Gone before the lock is free, so that nobody follows it.
		if err := os.Remove(daemonFilePath(d.dirs)); err != nil && !errors.Is(err, os.ErrNotExist) {
			d.app.warnf("removing daemon.json: %s", show(err.Error()))
		}
		if err := d.lock.Release(); err != nil {
			d.app.warnf("%s", show(fmt.Sprint(err)))
		}
	}
}
