package main

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// A desk is a provider that lives in this program: it hands out codes, and
// somebody approves them. A provider of yours talks to its service instead.
// What it returns is checked, and its error texts are shown to nobody.
type desk struct {
	// pkce binds each code to a verifier (RFC 7636), so that whoever steals
	// the device code alone gets nothing for it.
	pkce bool

	mu      sync.Mutex
	pending map[string]*request // by device code
}

// A request is a login that somebody is to approve.
type request struct {
	userCode  string
	challenge string // empty without PKCE
	approved  bool
}

// Start implements login.Provider.
func (d *desk) Start(context.Context, oauth.DeviceRequest) (*oauth.DeviceAuthorization, error) {
	a := &oauth.DeviceAuthorization{
		DeviceCode:      secret.New(rand.Text()),
		UserCode:        rand.Text()[:4] + "-" + rand.Text()[:4],
		VerificationURI: "https://desk.example/device",
		ExpiresIn:       10 * time.Minute,
		Interval:        time.Second,
	}
	r := &request{userCode: a.UserCode}
	if d.pkce {
		a.CodeVerifier = oauth.NewVerifier()
		r.challenge = oauth.ChallengeS256(a.CodeVerifier)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pending == nil {
		d.pending = map[string]*request{}
	}
	d.pending[a.DeviceCode.Reveal()] = r
	return a, nil
}

// Poll implements login.Provider. Errors with an OAuth code decide; all others
// are trouble on the way, and the next poll comes all the same.
func (d *desk) Poll(_ context.Context, g credential.DeviceGrant) (*oauth.Token, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, ok := d.pending[g.DeviceCode.Reveal()]
	switch {
	case !ok:
		return nil, refusal(oauth.ErrorInvalidGrant)
	case d.pkce && oauth.ChallengeS256(g.CodeVerifier) != r.challenge:
		return nil, refusal(oauth.ErrorInvalidGrant)
	case !r.approved:
		return nil, refusal(oauth.ErrorAuthorizationPending)
	}
	delete(d.pending, g.DeviceCode.Reveal()) // a code is spent once
	return &oauth.Token{AccessToken: secret.New("desk-" + rand.Text()), Lifetime: time.Hour}, nil
}

func refusal(code string) error {
	return &oauth.Error{Op: "poll", Kind: oauth.KindOAuth, Outcome: oauth.Answered, Code: code}
}

// approve is what the person does at the link. It reports whether there is
// such a code.
func (d *desk) approve(userCode string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.pending {
		if r.userCode == userCode {
			r.approved = true
			return true
		}
	}
	return false
}
