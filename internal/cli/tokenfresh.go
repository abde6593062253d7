package cli

import (
	"context"
	"sync"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/secret"
)

// The times of keeping a token file fresh.
const (
	// freshBefore is how much life a token has at most when the next one takes
	// its place.
	freshBefore = 5 * time.Minute
	// longestLook is how long a change by another process, such as a new login,
	// may go unseen.
	longestLook  = 5 * time.Second
	shortestLook = 100 * time.Millisecond
	// firstRetry and longestRetry are the times between tries while there is
	// trouble; each is twice the one before.
	firstRetry   = time.Second
	longestRetry = time.Minute
)

// keeper keeps the token in one file good.
type keeper struct {
	app   *app
	from  *session
	files *tokenFiles
	file  *tokenFile
	slack time.Duration // the life that its token is to have; the manager asks no more than it can have
	retry time.Duration // 0 when all is well
}

// keepFresh keeps the files fresh until ctx ends, and returns when nothing is
// under way any more.
func (a *app) keepFresh(ctx context.Context, s *session, f *tokenFiles) {
	var keeping sync.WaitGroup
	for _, file := range f.files {
		k := &keeper{app: a, from: s, files: f, file: file, slack: freshBefore}
		keeping.Go(func() { k.keep(ctx) })
	}
	keeping.Wait()
}

func (k *keeper) keep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(k.pause()):
		}
		if err := k.renew(ctx); ctx.Err() == nil {
			k.tell(err)
		}
	}
}

// pause is how long to wait for the next look at the token.
func (k *keeper) pause() time.Duration {
	switch {
	case k.retry > 0:
		return k.retry
	case k.file.Expires.IsZero():
		return longestLook
	default:
		return min(max(time.Until(k.file.Expires)/4, shortestLook), longestLook)
	}
}

// spare is how much of the life of a new token is left when it is replaced.
func spare(expires time.Time) time.Duration {
	if expires.IsZero() {
		return 0
	}
	return min(max(time.Until(expires)/2, 0), freshBefore)
}

// renew writes the token that there is now, if it is another one.
func (k *keeper) renew(ctx context.Context) error {
	t, err := readToken(ctx, k.from, api.TokenRequest{Key: k.file.Key, MinTTL: int(k.slack.Seconds())})
	if err != nil || secret.New(t.AccessToken).Equal(k.file.token) {
		return err
	}
	next := *k.file
	next.token, next.Expires = secret.New(t.AccessToken), t.ExpiresAt
	if err := k.files.write(&next); err != nil {
		return err
	}
	*k.file, k.slack = next, spare(t.ExpiresAt)
	return nil
}

// tell says when trouble begins and when it is over, and nothing in between.
func (k *keeper) tell(err error) {
	switch {
	case err != nil && k.retry > 0:
		k.retry = min(2*k.retry, longestRetry)
	case err != nil:
		k.retry = firstRetry
		e := asError(err)
		k.app.warnf("the token of %s in %s cannot be kept fresh: %s", k.file.Key, k.file.Name, show(e.Error()))
		if e.Hint != "" {
			k.app.say("hint: " + show(e.Hint))
		}
	case k.retry > 0:
		k.retry = 0
		k.app.sayf("usher: the token of %s in %s is fresh again", k.file.Key, k.file.Name)
	}
}
