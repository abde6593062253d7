// Command program is a process that needs tokens, as a program that embeds
// usher or asks its daemon is one: it reads until SIGTERM or SIGINT, prints each
// reading as a line of JSON, and ends as a well-behaved program does, when what
// it began is finished.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/e2e/refreshproc"
	"github.com/usherauth/usher/token"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "refreshproc:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	home := flag.String("home", "", "the data folder to read in this process")
	socket := flag.String("socket", "", "the daemon's socket to ask instead")
	keys := flag.String("keys", "", "the credentials, separated by commas")
	resource := flag.String("resource", "", "the URL to show tokens to")
	pace := flag.Duration("pace", 100*time.Millisecond, "about the time between two rounds")
	minTTL := flag.Duration("min-ttl", 0, "the life that tokens must still have")
	seed := flag.Uint64("seed", 0, "what the pauses are drawn from")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	out := json.NewEncoder(os.Stdout)
	r := &refreshproc.Reader{
		Keys: strings.Split(*keys, ","), Resource: *resource, Pace: *pace, Random: rand.New(rand.NewPCG(*seed, 0)),
		Tell: func(reading refreshproc.Reading) { _ = out.Encode(reading) }, // nobody listens: nobody to tell
	}
	if *socket != "" {
		r.Source = throughDaemon(*socket, *minTTL)
		r.Run(ctx)
		return nil
	}
	store, err := filestore.Open(*home)
	if err != nil {
		return err
	}
	m := token.NewManager(token.Config{Store: store})
	r.Source = inProcess(m, *minTTL)
	r.Run(ctx)
	ctx, cancel := context.WithTimeout(context.Background(), 75*time.Second)
	defer cancel()
	return errors.Join(m.Close(ctx), store.Close())
}

func inProcess(m *token.Manager, minTTL time.Duration) refreshproc.Source {
	return func(ctx context.Context, name string) (refreshproc.Token, error) {
		key, err := credential.ParseKey(name)
		if err != nil {
			return refreshproc.Token{}, err
		}
		t, err := m.Token(ctx, key, minTTL)
		return refreshproc.Token{Value: t.AccessToken.Reveal(), ExpiresAt: t.ExpiresAt}, err
	}
}

func throughDaemon(socket string, minTTL time.Duration) refreshproc.Source {
	client := &usher.Client{BaseURL: "unix:" + socket}
	return func(ctx context.Context, key string) (refreshproc.Token, error) {
		t, err := client.Token(ctx, usher.TokenRequest{Key: key, MinTTL: int(minTTL / time.Second)})
		return refreshproc.Told(t.AccessToken, t.ExpiresAt), err
	}
}
