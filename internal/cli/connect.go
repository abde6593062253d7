package cli

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/internal/filelock"
)

// daemonPatience is how long a daemon may take to answer at all.
const daemonPatience = 2 * time.Second

// session is one command's access to credentials and logins: through the
// daemon of this data folder as long as there is one, in this process
// otherwise. A daemon that goes away in the middle of a call is replaced and
// the call made again: that is safe for all of them, since reading changes
// nothing, starting a login joins the one that was started, and what was
// logged out stays so. Its methods are those of service.
type session struct {
	app  *app
	dirs config.Dirs
	// abandoned: all that may be under way is a login that nobody wants any more.
	abandoned bool

	mu    sync.Mutex
	now   service // who answers
	local *local  // now, if that is this process
}

// open finds out who answers.
func (a *app) open(ctx context.Context) (*session, error) {
	dirs, err := a.dirs()
	if err != nil {
		return nil, err
	}
	s := &session{app: a, dirs: dirs}
	client, err := a.findDaemon(ctx, dirs)
	if err != nil {
		return nil, err
	}
	if client != nil {
		s.now = client
		return s, nil
	}
	return s, s.openLocal()
}

// dirs finds the folders of this installation.
func (a *app) dirs() (config.Dirs, error) {
	dirs, err := config.FindDirs(a.getenv)
	if err != nil {
		return dirs, api.Errorf(api.CodeInvalidRequest, "%w", err).WithHint("set USHER_HOME and USHER_CONFIG")
	}
	return dirs, nil
}

// findDaemon returns a client of the daemon that works on this data folder, or
// nil to work in this process. Being asked to work with another configuration
// than the daemon is an error: the answers would not be the ones expected.
func (a *app) findDaemon(ctx context.Context, dirs config.Dirs) (*usher.Client, error) {
	bound, cancel := context.WithTimeout(ctx, daemonPatience)
	defer cancel()
	var trouble error
	for {
		held, err := filelock.Held(lockPath(dirs))
		if err != nil || !held {
			return nil, nil // trouble with the folder is the store's to report
		}
		// A daemon that has just been started needs a moment to be there.
		f, err := readDaemonFile(dirs)
		if err == nil && f.Socket == "" {
			return nil, nil // this platform has no sockets that know their user
		}
		if err == nil {
			client := &usher.Client{BaseURL: "unix:" + f.Socket}
			if err = client.Health(bound); err == nil {
				if !sameFile(f.Config, dirs.ConfigFile) {
					return nil, api.Errorf(api.CodeDaemonMismatch, "the daemon works with the configuration %s, and this command with %s",
						show(f.Config), show(dirs.ConfigFile)).
						WithHint("set USHER_CONFIG to the daemon's, or set USHER_HOME to a data folder of its own")
				}
				return client, nil
			}
		}
		if bound.Err() == nil {
			trouble = err
		}
		select {
		case <-bound.Done():
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			a.warnf("the daemon does not answer (%s); going on without it", show(silentBecause(trouble, bound.Err())))
			return nil, nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// silentBecause is why a daemon that holds its lock does not answer: trouble,
// if any was met before the wait for it ended with waited.
func silentBecause(trouble, waited error) string {
	switch {
	case errors.Is(trouble, fs.ErrNotExist): // its file or socket
		return "it is starting or stopping"
	case trouble != nil:
		return trouble.Error()
	}
	return waited.Error()
}

func (s *session) openLocal() error {
	l, err := s.app.openLocal(s.dirs)
	if err != nil {
		return err
	}
	s.local, s.now = l, l
	return nil
}

// close ends what runs in this process; see [local.close].
func (s *session) close(bound time.Duration) {
	s.mu.Lock()
	l := s.local
	s.mu.Unlock()
	if l != nil {
		l.close(bound)
	}
}

// current is who answers now.
func (s *session) current() service {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// replace makes this process answer in place of a daemon that is gone.
func (s *session) replace(gone service) (service, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != gone {
		return s.now, nil // another call noticed first
	}
	s.app.sayf("usher: the daemon has gone away; going on without it")
	if err := s.openLocal(); err != nil {
		return nil, err
	}
	return s.now, nil
}

// gone reports whether err says that no daemon answers any more.
func gone(err error) bool {
	var e *api.Error
	return errors.As(err, &e) && (e.Code == api.CodeDaemonUnreachable || e.Code == api.CodeDaemonStopping)
}

// ask makes a call, once more in this process if the daemon is lost over it.
func ask[T any](ctx context.Context, s *session, call func(service) (T, error)) (T, error) {
	svc := s.current()
	out, err := call(svc)
	if err == nil || !gone(err) || ctx.Err() != nil {
		return out, err
	}
	if _, remote := svc.(*usher.Client); !remote {
		return out, err
	}
	if svc, err = s.replace(svc); err != nil {
		return out, err
	}
	return call(svc)
}

func (s *session) StartLogin(ctx context.Context, r api.StartLogin) (api.Login, error) {
	return ask(ctx, s, func(svc service) (api.Login, error) { return svc.StartLogin(ctx, r) })
}

func (s *session) GetLogin(ctx context.Context, id string) (api.Login, error) {
	return ask(ctx, s, func(svc service) (api.Login, error) { return svc.GetLogin(ctx, id) })
}

func (s *session) WaitLogin(ctx context.Context, id string) (api.Login, error) {
	return ask(ctx, s, func(svc service) (api.Login, error) { return svc.WaitLogin(ctx, id) })
}

func (s *session) CancelLogin(ctx context.Context, id string) (api.Login, error) {
	return ask(ctx, s, func(svc service) (api.Login, error) { return svc.CancelLogin(ctx, id) })
}

func (s *session) Logins(ctx context.Context) ([]api.Login, error) {
	return ask(ctx, s, func(svc service) ([]api.Login, error) { return svc.Logins(ctx) })
}

func (s *session) Credentials(ctx context.Context) ([]api.Credential, error) {
	return ask(ctx, s, func(svc service) ([]api.Credential, error) { return svc.Credentials(ctx) })
}

func (s *session) Credential(ctx context.Context, key string) (api.Credential, error) {
	return ask(ctx, s, func(svc service) (api.Credential, error) { return svc.Credential(ctx, key) })
}

func (s *session) Token(ctx context.Context, r api.TokenRequest) (api.Token, error) {
	return ask(ctx, s, func(svc service) (api.Token, error) { return svc.Token(ctx, r) })
}

func (s *session) Logout(ctx context.Context, r api.LogoutRequest) (api.Logout, error) {
	return ask(ctx, s, func(svc service) (api.Logout, error) { return svc.Logout(ctx, r) })
}

func (s *session) CompleteLogin(ctx context.Context, id string, r api.CompleteLogin) (api.Login, error) {
	return ask(ctx, s, func(svc service) (api.Login, error) { return svc.CompleteLogin(ctx, id, r) })
}

// inProcess reports whether this process answers, and no daemon.
func (s *session) inProcess() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.local != nil
}
