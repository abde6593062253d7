package cli

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
)

// The steps of the demo that work with tokens. Each asserts what it tells, by
// the answers of the server and by its record.

func (d *demo) useToken(ctx context.Context) error {
	var err error
	if d.first, err = d.client.Token(ctx, usher.TokenRequest{Key: demoKey}); err != nil {
		return err
	}
	if err := d.present(ctx, d.first, http.StatusOK); err != nil {
		return err
	}
	d.notef("The daemon handed out the access token, and the server's API takes it.")
	return nil
}

// present presents a token to the protected resource, which must answer with
// status want.
func (d *demo) present(ctx context.Context, t usher.Token, want int) error {
	got, err := d.authority.present(ctx, t.AccessToken)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("the server's API answered the token with HTTP status %d, want %d", got, want)
	}
	return nil
}

func (d *demo) refresh(ctx context.Context) error {
	if err := d.waitForEnd(ctx); err != nil {
		return err
	}
	d.notef("The access token has expired: the server's API refuses it.")
	before, err := d.authority.record(ctx)
	if err != nil {
		return err
	}
	tokens, err := d.readAtOnce(ctx)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if t.AccessToken == d.first.AccessToken {
			return fmt.Errorf("a reader got the expired token")
		}
		if t.AccessToken != tokens[0].AccessToken {
			return fmt.Errorf("readers got different tokens")
		}
	}
	if err := d.present(ctx, tokens[0], http.StatusOK); err != nil {
		return err
	}
	after, err := d.authority.record(ctx)
	if err != nil {
		return err
	}
	asked := after.RefreshRequests - before.RefreshRequests
	d.refreshes = after.RefreshesGranted - before.RefreshesGranted
	if asked != 1 || d.refreshes != 1 {
		return fmt.Errorf("the server saw %d refreshes and granted %d of them, want exactly 1", asked, d.refreshes)
	}
	if err := d.events.saw(ctx, api.EventCredentialRefreshed); err != nil {
		return err
	}
	d.notef("%d readers asked at the same moment; all got one new token that works,", demoReaders)
	d.notef("and the server's record shows exactly 1 refresh.")
	d.first = tokens[0]
	return nil
}

// waitForEnd waits until the server refuses the token because it has expired.
func (d *demo) waitForEnd(ctx context.Context) error {
	deadline := time.Now().Add(demoLifetime + 3*time.Second)
	for {
		status, err := d.authority.present(ctx, d.first.AccessToken)
		switch {
		case err != nil:
			return err
		case status == http.StatusUnauthorized:
			d.app.err.Erase()
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("the server still takes the token %s after it was made", demoLifetime)
		}
		d.app.err.Live("   waiting for the access token to expire")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// readAtOnce reads the token with several readers at the same time.
func (d *demo) readAtOnce(ctx context.Context) ([]usher.Token, error) {
	type answer struct {
		token usher.Token
		err   error
	}
	answers := make(chan answer, demoReaders)
	start := make(chan struct{})
	for range demoReaders {
		go func() {
			<-start
			t, err := d.client.Token(ctx, usher.TokenRequest{Key: demoKey})
			answers <- answer{t, err}
		}()
	}
	close(start)
	var tokens []usher.Token
	var failure error
	for range demoReaders {
		got := <-answers
		if got.err != nil {
			failure = got.err
		}
		tokens = append(tokens, got.token)
	}
	return tokens, failure
}

func (d *demo) logout(ctx context.Context) error {
	done, err := d.client.Logout(ctx, usher.LogoutRequest{Key: demoKey})
	if err != nil {
		return err
	}
	if done.Revocation != api.RevocationRevoked {
		e := api.Errorf(api.CodeRevocationLost, "the tokens were not revoked: %s", done.Revocation).
			WithHint("run: usher demo")
		if done.Error != nil {
			e.Code, e.Message = done.Error.Code, done.Error.Hint
		}
		return e
	}
	if err := d.present(ctx, d.first, http.StatusUnauthorized); err != nil {
		return err
	}
	seen, err := d.authority.record(ctx)
	if err != nil {
		return err
	}
	if seen.Revocations == 0 {
		return fmt.Errorf("the server saw no revocation")
	}
	if err := d.events.saw(ctx, api.EventCredentialRemoved); err != nil {
		return err
	}
	if _, err := d.client.Token(ctx, usher.TokenRequest{Key: demoKey}); api.AsError(err) == nil || api.AsError(err).Code != api.CodeLoginNeeded {
		return fmt.Errorf("the daemon answers for a token after the logout with: %v", err)
	}
	d.notef("The server has revoked the tokens and refuses them; the daemon forgot them.")
	return nil
}
