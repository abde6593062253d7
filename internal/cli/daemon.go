package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/internal/filelock"
	"github.com/usherauth/usher/internal/localsock"
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
	store     *filestore.Store
	catalogue *provider.Catalogue
	token     secret.String
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
	if d.store, err = filestore.Open(d.dirs.Home); err != nil {
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
	if err := os.Remove(daemonFilePath(d.dirs)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return storeError(err)
	}
	if d.file, err = atomicfile.Stage(daemonFilePath(d.dirs), 0o600, 4<<10); err != nil {
		return storeError(err)
	}
	return nil
}

// listen opens all listeners: TCP, the owner's own socket and those asked for.
func (d *daemon) listen() error {
	tcp, err := net.Listen("tcp", d.opts.listen)
	if err != nil {
		return api.Errorf(api.CodeInternal, "listening: %w", err).
			WithHint("choose another address with --listen; port 0 is any free one")
	}
	d.listeners = append(d.listeners, server.Listener{Listener: tcp})
	d.reached = daemonFile{Version: readVersion().Version, Listen: "http://" + tcp.Addr().String(), Config: d.dirs.ConfigFile}

	own := localsock.Path(d.dirs.Home, d.dirs.RuntimeDir)
	for i, path := range append([]string{own}, d.opts.sockets...) {
		l, err := localsock.Listen(path)
		if i == 0 && errors.Is(err, errors.ErrUnsupported) {
			continue // commands work without the daemon then, on the same files
		}
		if err != nil {
			return api.Errorf(api.CodeInternal, "listening on %s: %w", show(path), err)
		}
		if i == 0 {
			d.reached.Socket = own
		}
		d.listeners = append(d.listeners, server.Listener{Listener: l, Trusted: true})
	}
	return nil
}

// run serves until ctx ends.
func (d *daemon) run(ctx context.Context) error {
	a := d.app
	defer a.detach()()
	log := a.log(slog.LevelWarn)
	b := broker.New(broker.Config{
		Store: d.store, Providers: d.catalogue, Daemon: true, MaxLogins: d.opts.maxLogins,
		Origin: origin(), Audit: &audit.Writer{Text: a.err}, Log: log,
		AliasKey: func() (secret.String, error) { return homeSecret(d.dirs.Home, aliasKeyFile) },
	})
	served := &local{Broker: b, app: a, store: d.store}
	d.store = nil // served closes it
	s, err := server.New(server.Config{
		Broker: b, Token: d.token, NoAuth: d.opts.noAuth, Workspace: d.opts.workspace,
		Version: readVersion().Version, Log: log,
		Drain: func() { served.close(drainBound) },
	})
	if err != nil {
		served.close(cancelBound)
		return api.Errorf(api.CodeInternal, "%w", err)
	}
	if err := d.announce(); err != nil {
		served.close(cancelBound)
		return err
	}
	stop := d.reloadOnHangup()
	defer stop()
	if err := s.Serve(ctx, d.listeners...); err != nil {
		return api.Errorf(api.CodeInternal, "%w", err)
	}
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
	places := []string{d.reached.Listen}
	for _, l := range d.listeners[1:] {
		places = append(places, show(l.Addr().String()))
	}
	a.sayf("usher daemon listening on %s", strings.Join(places, " and "))
	if host, _, err := net.SplitHostPort(d.listeners[0].Addr().String()); err == nil && !literalLoopback(host) {
		a.warnf("other machines can connect, and HTTP is not encrypted: put a TLS proxy in front, or use a tunnel")
	}
	if d.opts.noAuth {
		a.warnf("no token is asked for: every program and user of this machine can start and cancel logins")
	}
	// Reading them now shows mistakes to whoever starts the daemon.
	d.catalogue.List()
	a.warnAll(d.catalogue.Problems())
	return nil
}

// reloadOnHangup reads the providers again at each SIGHUP, until stop is called.
func (d *daemon) reloadOnHangup() (stop func()) {
	hangups := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-hangups:
				if err := d.catalogue.Reload(); err != nil {
					d.app.warnAll(d.catalogue.Problems())
				}
				d.app.sayf("usher daemon has read the providers again")
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(done)
	}
}

// close gives everything back that is still held.
func (d *daemon) close() {
	for _, l := range d.listeners {
		_ = l.Close() // as a rule the server has closed it
	}
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
