package login_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// careless is an in-process provider that leaves out what it can.
type careless struct {
	answer  *oauth.DeviceAuthorization
	err     error // of a start
	pollErr error
	polls   int
}

func (c *careless) Start(context.Context, oauth.DeviceRequest) (*oauth.DeviceAuthorization, error) {
	return c.answer, c.err
}

func (c *careless) Poll(context.Context, credential.DeviceGrant) (*oauth.Token, error) {
	c.polls++
	return nil, c.pollErr
}

func TestInProcessProvidersAnswerIsChecked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t)
		c := &careless{pollErr: pending}
		r := b.registry(func(cfg *login.Config) { cfg.Providers = map[string]login.Provider{"test": c} })
		if _, _, err := r.Start(t.Context(), login.Request{Key: key}); err == nil {
			t.Error("started without an answer")
		}
		c.answer = &oauth.DeviceAuthorization{}
		if _, _, err := r.Start(t.Context(), login.Request{Key: key}); err == nil {
			t.Error("started without a user code")
		}
		c.answer = &oauth.DeviceAuthorization{DeviceCode: secret.New("dc"), UserCode: "AAAA", VerificationURI: "https://as.test/d"}
		began := time.Now()
		s, _, err := r.Start(t.Context(), login.Request{Key: key})
		if err != nil || s.Interval != 5*time.Second || !s.ExpiresAt.Equal(began.Add(15*time.Minute)) {
			t.Fatalf("started as %+v, %v", s.Login, err)
		}
		b.wait(r, s.ID)
		if c.polls > 15*60/5 {
			t.Errorf("%d polls in 15 minutes", c.polls)
		}
	})
}

func TestInProcessProvidersWordsAreKeptBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const words = "POST https://as.test/token?device_code=dc-1"
		b := newBench(t)
		var log bytes.Buffer
		c := &careless{err: errors.New(words), pollErr: errors.New(words)}
		r := b.registry(func(cfg *login.Config) {
			cfg.Providers = map[string]login.Provider{"test": c}
			cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		_, _, err := r.Start(t.Context(), login.Request{Key: key})
		if err == nil || strings.Contains(err.Error(), "dc-1") {
			t.Errorf("Start: %v", err)
		}
		c.answer, c.err = &oauth.DeviceAuthorization{UserCode: "AAAA", VerificationURI: "https://as.test/d"}, nil
		if _, _, err := r.Start(t.Context(), login.Request{Key: key}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Second)
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c.polls == 0 || strings.Contains(log.String(), "dc-1") {
			t.Errorf("%d polls, log:\n%s", c.polls, &log)
		}
	})
}
