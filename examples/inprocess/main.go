// Inprocess is a program that brings a login provider of its own: it runs
// usher's broker and server within itself, on loopback, and logs in over them.
// Run it with
//
//	go run ./examples/inprocess
//
// Any client can do the logging in, the TypeScript one included; the provider
// is in provider.go.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/memstore"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "inprocess:", err)
		os.Exit(1)
	}
}

// run serves two providers and logs in to each.
func run(ctx context.Context, out io.Writer) (err error) {
	desks := map[string]*desk{"desk": {}, "desk-pkce": {pkce: true}}
	b := broker.New(broker.Config{
		Store:     memstore.New(), // filestore.Open keeps logins over restarts
		Providers: provider.Open("", credential.CheckName),
		InProcess: map[string]login.Provider{"desk": desks["desk"], "desk-pkce": desks["desk-pkce"]},
		Daemon:    true,
	})
	defer func() { err = errors.Join(err, b.Close(context.WithoutCancel(ctx))) }()

	token := secret.New(rand.Text())
	s, err := server.New(server.Config{Broker: b, Token: token})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- s.Serve(serving, server.Listener{Listener: l}) }()
	defer func() {
		stop()
		err = errors.Join(err, <-served)
	}()

	c := &usher.Client{BaseURL: "http://" + l.Addr().String(), Bearer: token, ClientID: "example"}
	for _, key := range []string{"desk", "desk-pkce"} {
		if err := logIn(ctx, c, key, desks[key], out); err != nil {
			return err
		}
	}
	return nil
}

func logIn(ctx context.Context, c *usher.Client, key string, d *desk, out io.Writer) error {
	attempt, err := c.Login(ctx, key, usher.LoginOptions{})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: open %s and enter %s\n", key, attempt.VerificationURI, attempt.UserCode)
	if !d.approve(attempt.UserCode) { // nobody is there to do it
		return fmt.Errorf("approving %s: no such code", attempt.UserCode)
	}
	if _, err := attempt.Wait(ctx); err != nil {
		return err
	}
	token, err := c.Token(ctx, usher.TokenRequest{Key: key})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: logged in, the token ends at %s\n", key, token.ExpiresAt.Format("15:04"))
	return nil
}
