package cli

import (
	"context"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/internal/config"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/secret"
)

// The bounds of ending the broker in this process. A rotation bounds itself to
// 60 s; it is never cut off, or the refresh token would be lost.
const (
	settleBound = 75 * time.Second
	// cancelBound is for the answer to a poll that nobody wants any more.
	cancelBound = 5 * time.Second
	// drainBound is how long a daemon that stops waits for answers on their way.
	drainBound = 65 * time.Second
	// silence is how long ending may take without a word.
	silence = time.Second
)

// local is a broker in this process, over the files of the data folder.
type local struct {
	*broker.Broker
	app   *app
	store *filestore.Store
}

func (a *app) openLocal(dirs config.Dirs) (*local, error) {
	store, err := filestore.Config{Dir: dirs.Home, RuntimeDir: dirs.RuntimeDir}.Open()
	if err != nil {
		return nil, storeError(err)
	}
	return &local{
		Broker: broker.New(broker.Config{
			Store:     store,
			Providers: catalogue(dirs),
			Share:     a.shareFile,
			AliasKey:  func() (secret.String, error) { return homeSecret(dirs.Home, aliasKeyFile) },
			Log:       a.log(silent),
		}),
		app:   a,
		store: store,
	}, nil
}

// StartLogin is the broker's, asked by its owner.
func (l *local) StartLogin(ctx context.Context, r api.StartLogin) (api.Login, error) {
	r.Owner = true
	return l.Broker.StartLogin(ctx, r)
}

// CancelLogin is the broker's, asked by its owner.
func (l *local) CancelLogin(ctx context.Context, id string) (api.Login, error) {
	return l.Broker.CancelLogin(ctx, id, api.Caller{Owner: true})
}

// catalogue is the providers of this installation.
func catalogue(dirs config.Dirs) *provider.Catalogue {
	return provider.Open(dirs.ProvidersDir, credential.CheckName)
}

// close waits for what is under way, at most for bound, and says so when that
// takes a while. Interrupts do not end it.
func (l *local) close(bound time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	told := time.AfterFunc(silence, func() {
		l.app.sayf("usher: waiting for an answer of the provider that is on its way, so that no token is lost")
	})
	defer told.Stop()
	if err := l.Close(ctx); err != nil {
		l.app.warnf("ending: %s", show(err.Error()))
	}
	if err := l.store.Close(); err != nil {
		l.app.warnf("closing the data folder: %s", show(err.Error()))
	}
}
