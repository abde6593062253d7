package broker

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
)

// statusAge bounds how late AuthStatus tells what other processes changed, and
// what time changed. What this process changes is told at once.
const statusAge = time.Second

// standing is what AuthStatus tells from the disk, kept for a while: clients
// ask for it all the time, and it seldom changes. Its lists are shared by all
// answers and never changed.
type standing struct {
	providers []api.AuthProvider
	supported []string
	read      time.Time
}

// A statusCache holds the last standing, and the last answer.
type statusCache struct {
	mu      sync.Mutex
	changes uint64 // grows with every change that this process makes
	last    *standing
	told    atomic.Pointer[toldStatus]
}

// toldStatus is an answer of AuthStatus and what it was made of.
type toldStatus struct {
	api.AuthStatus
	at     *standing
	logins uint64 // as login.Registry.Changes has it
}

// drop forgets what is held, since a credential changed.
func (c *statusCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	c.last = nil
}

// get returns what is held while it is fresh, and what read returns else.
func (c *statusCache) get(read func() (standing, error)) (*standing, error) {
	c.mu.Lock()
	began, last := c.changes, c.last
	c.mu.Unlock()
	if last != nil && time.Since(last.read) < statusAge {
		return last, nil
	}
	now := time.Now()
	fresh, err := read()
	if err != nil {
		return nil, err
	}
	fresh.read = now
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == began { // else it may have been read too early
		c.last = &fresh
	}
	return &fresh, nil
}

// AuthStatus tells what is logged in, what is pending and what could be logged
// in to, for the compatible surface. The server fills in the workspace. The
// lists belong to the broker; what other processes changed is in them within a
// second.
func (b *Broker) AuthStatus(ctx context.Context) (api.AuthStatus, error) {
	logins := b.logins.Changes() // before they are looked at
	at, err := b.status.get(func() (standing, error) {
		providers, err := b.authProviders(context.WithoutCancel(ctx)) // half a list must not be kept
		return standing{providers: providers, supported: b.deviceProviders()}, err
	})
	if err != nil {
		return api.AuthStatus{}, apiError(err, "")
	}
	if told := b.status.told.Load(); told != nil && told.at == at && told.logins == logins {
		return told.AuthStatus, nil
	}
	pending, err := b.pendingFlows(ctx)
	if err != nil {
		return api.AuthStatus{}, apiError(err, "")
	}
	told := &toldStatus{at: at, logins: logins, AuthStatus: api.AuthStatus{
		V: 1, Providers: at.providers, PendingDeviceFlows: pending, SupportedDeviceFlowProviders: at.supported,
	}}
	b.status.told.Store(told)
	return told.AuthStatus, nil
}

func (b *Broker) pendingFlows(ctx context.Context) ([]api.PendingDeviceFlow, error) {
	live, err := b.liveLogins(ctx)
	if err != nil {
		return nil, err
	}
	pending := []api.PendingDeviceFlow{}
	for _, s := range live {
		if s.Method == credential.MethodDevice {
			flow := deviceFlow(s, "")
			pending = append(pending, api.PendingDeviceFlow{
				DeviceFlowID: flow.DeviceFlowID, ProviderID: flow.ProviderID, ExpiresAt: flow.ExpiresAt,
			})
		}
	}
	return pending, nil
}

func (b *Broker) authProviders(ctx context.Context) ([]api.AuthProvider, error) {
	creds, _, err := b.readable(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]api.AuthProvider, 0, len(creds))
	for _, c := range creds {
		out = append(out, authProvider(c))
	}
	return out, nil
}

// deviceProviders names the providers a device login can be started with now.
func (b *Broker) deviceProviders() []string {
	names := []string{}
	listed := b.cfg.Providers.List()
	for _, p := range listed {
		if p.Check() == nil && slices.Contains(p.Methods(), api.MethodDevice) {
			names = append(names, p.Name)
		}
	}
	for name := range b.cfg.InProcess {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func authProvider(c credential.Credential) api.AuthProvider {
	v := api.AuthProvider{
		Kind: "auth_provider", Status: api.AuthOK, ProviderID: c.Key.String(),
		ExpiresAt: millis(c.ExpiresAt()), AccountAlias: c.Alias,
	}
	switch state, cause := stateOf(c); {
	case state == credential.NeedsLogin:
		v.Status = api.AuthError
		v.Error = "login needed: " + string(cause)
		v.Hint = "start a new login for " + c.Key.String()
	case endsSoon(c):
		v.Status = api.AuthWarning
		v.Hint = "ends soon and cannot be renewed; start a new login for " + c.Key.String()
	}
	return v
}

// maxWarning is how long before a person is needed a warning begins at most: a
// day, so that it comes when there is somebody to see it.
const maxWarning = 24 * time.Hour

// endsSoon reports whether a person will be needed for c within a fifth of the
// time that the last answer of the provider gave it.
func endsSoon(c credential.Credential) bool {
	by := needsLoginBy(c)
	life := by.Sub(c.Received.Wall)
	return !by.IsZero() && time.Until(by) <= min(life/5, maxWarning)
}
