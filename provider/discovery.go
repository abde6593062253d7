package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/usherauth/usher/oauth"
)

const (
	// discoveryFresh is how long discovered metadata is used without asking
	// again. Servers change it about as often as they change their address.
	discoveryFresh = time.Hour
	// discoveryStale is how long it may stand in for a server out of order.
	discoveryStale = 24 * time.Hour
	// discoveryTimeout bounds one attempt, which makes up to three requests and
	// some redirects, for callers that would wait longer.
	discoveryTimeout = 30 * time.Second
)

// discoveries is the memory of a [Resolver]. The zero value is ready.
type discoveries struct {
	mu     sync.Mutex
	issuer map[string]*discovery // issuer -> what is known of it
}

// A discovery is what is known of one issuer. The mutex of discoveries guards
// all fields but turn.
type discovery struct {
	turn chan struct{} // holds one token while somebody asks the issuer

	metadata *oauth.Metadata // the last good answer, or nil; never changed
	at       time.Time       // when it came
	attempts int             // attempts that ended by the issuer's doing
	err      error           // of the last of them
}

// get returns the metadata of issuer, and as a warning why it is an old one.
func (d *discoveries) get(ctx context.Context, hc *http.Client, issuer string) (m *oauth.Metadata, warning, err error) {
	d.mu.Lock()
	known := d.ofLocked(issuer)
	seen := known.attempts
	if known.fresh() {
		defer d.mu.Unlock()
		return known.metadata, nil, nil
	}
	d.mu.Unlock()

	select {
	case known.turn <- struct{}{}:
		defer func() { <-known.turn }()
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("waiting for discovery: %w", ctx.Err())
	}
	d.mu.Lock()
	if known.attempts != seen {
		// Somebody asked while we waited. The answer, good or bad, is ours too.
		defer d.mu.Unlock()
		return known.result()
	}
	d.mu.Unlock()

	asking, cancel := context.WithTimeout(ctx, discoveryTimeout)
	defer cancel()
	m, err = oauth.Discover(asking, hc, issuer)
	if err != nil && ctx.Err() != nil {
		// This caller gave up, which says nothing to the others.
		return nil, nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	known.attempts++
	known.err = err
	if err == nil {
		known.metadata, known.at = m, time.Now()
	}
	return known.result()
}

func (d *discoveries) ofLocked(issuer string) *discovery {
	known := d.issuer[issuer]
	if known == nil {
		known = &discovery{turn: make(chan struct{}, 1)}
		if d.issuer == nil {
			d.issuer = map[string]*discovery{}
		}
		d.issuer[issuer] = known
	}
	return known
}

func (k *discovery) fresh() bool {
	return k.metadata != nil && time.Since(k.at) < discoveryFresh
}

// result is what the last attempt means to a caller.
func (k *discovery) result() (m *oauth.Metadata, warning, err error) {
	if k.err == nil {
		return k.metadata, nil, nil
	}
	age := time.Since(k.at)
	if k.metadata == nil || age > discoveryStale || !outOfOrder(k.err) {
		return nil, nil, k.err
	}
	return k.metadata, fmt.Errorf("using endpoints discovered %s ago: %w", age.Round(time.Minute), k.err), nil
}

// outOfOrder reports whether a server that failed with err did not get to say
// anything: it was not reached, had a fault, or asked to come back later.
func outOfOrder(err error) bool {
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		return false
	}
	switch e.Kind {
	case oauth.KindNetwork, oauth.KindTimeout, oauth.KindTLS, oauth.KindServer, oauth.KindRateLimited:
		return true
	}
	return false
}
