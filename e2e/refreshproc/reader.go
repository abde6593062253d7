// Package refreshproc is what one process of a crowd does in the stress tests:
// it asks for access tokens again and again, shows them to the resource that
// they are for, and tells what it got. Its program is such a process.
package refreshproc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// A Token is an access token in hand.
type Token struct {
	Value     string
	ExpiresAt time.Time // at the latest
}

// Told is a token as commands and the daemon tell it: its end to the second,
// rounded down.
func Told(value string, expiresAt time.Time) Token {
	return Token{value, expiresAt.Add(time.Second)}
}

// A Source obtains the token of a key, refreshed if need be.
type Source func(ctx context.Context, key string) (Token, error)

// A Reading is one answer of a Source, or several that were the same. Its times
// are of the wall clock, which all processes of a machine share.
type Reading struct {
	Key string
	// Token tells tokens apart without telling them; empty for an error.
	Token     string    `json:",omitempty"`
	ExpiresAt time.Time `json:",omitzero"`
	// First and Last are when the first and the last of these answers were
	// asked for, Answered is when the last one came.
	First, Last, Answered time.Time
	Count                 int           // of the answers
	Longest               time.Duration // wait for one of them
	Shown                 int           // times that the resource saw the token
	// RefusedAt is when the resource refused it; zero if it did not.
	RefusedAt time.Time `json:",omitzero"`
	Error     string    `json:",omitempty"`
}

// showEvery is how often a token that stays the same is shown.
const showEvery = time.Second

// tellEvery bounds how long a Reading goes on.
const tellEvery = 500 * time.Millisecond

// A Reader is one process that needs tokens. It is for one goroutine.
type Reader struct {
	Keys     []string
	Source   Source
	Resource string        // the URL to show tokens to
	Pace     time.Duration // about the time between two rounds of all keys
	Random   *rand.Rand    // draws the pauses
	Tell     func(Reading)

	runs map[string]*run
}

// A run is a Reading that goes on.
type run struct {
	Reading
	shown time.Time
}

// Run reads until ctx ends.
func (r *Reader) Run(ctx context.Context) {
	r.runs = make(map[string]*run)
	for ctx.Err() == nil {
		for _, key := range r.Keys {
			r.read(ctx, key)
		}
		sleep(ctx, r.Pace/2+time.Duration(r.Random.Int64N(int64(r.Pace))))
	}
	for _, run := range r.runs {
		r.tell(run)
	}
}

// read asks for the token of key once.
func (r *Reader) read(ctx context.Context, key string) {
	asked := time.Now().Round(0)
	token, err := r.Source(ctx, key)
	answered := time.Now().Round(0)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		r.Tell(Reading{Key: key, First: asked, Last: asked, Answered: answered, Count: 1, Error: err.Error()})
		return
	}
	now := r.run(key, token, asked)
	now.Last, now.Answered, now.ExpiresAt = asked, answered, token.ExpiresAt
	now.Count++
	now.Longest = max(now.Longest, answered.Sub(asked))
	if time.Since(now.shown) >= showEvery {
		now.shown = time.Now()
		r.show(ctx, now, token)
	}
	if now.Answered.Sub(now.First) >= tellEvery {
		r.tell(now)
	}
}

// run is the run that an answer belongs to.
func (r *Reader) run(key string, token Token, asked time.Time) *run {
	sum := sha256.Sum256([]byte(token.Value))
	name := hex.EncodeToString(sum[:8])
	now := r.runs[key]
	if now == nil || now.Token != name {
		if now != nil {
			r.tell(now)
		}
		now = &run{Reading: Reading{Key: key, Token: name}}
		r.runs[key] = now
	}
	if now.Count == 0 {
		now.First = asked
	}
	return now
}

// tell tells a run as far as it is and begins it anew.
func (r *Reader) tell(now *run) {
	if now.Count > 0 {
		r.Tell(now.Reading)
	}
	now.Reading = Reading{Key: now.Key, Token: now.Token}
}

// show shows the token to the resource.
func (r *Reader) show(ctx context.Context, now *run, token Token) {
	status, err := Show(ctx, r.Resource, token.Value)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		r.Tell(Reading{Key: now.Key, First: now.Last, Last: now.Last, Answered: time.Now().Round(0), Count: 1, Error: err.Error()})
	case status == http.StatusUnauthorized:
		now.RefusedAt = time.Now().Round(0)
		now.Shown++
		r.tell(now)
	default:
		now.Shown++
	}
}

// Show shows an access token to a resource, which answers 200 or 401.
func Show(ctx context.Context, resource, token string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, resource, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("showing a token: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection lives on
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnauthorized {
		return 0, fmt.Errorf("the resource answered %s", resp.Status)
	}
	return resp.StatusCode, nil
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
