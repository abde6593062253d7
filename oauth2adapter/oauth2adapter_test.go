package oauth2adapter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/oauth2adapter"
)

// daemon answers POST /v1/token with body and counts how often.
func daemon(status int, contentType, body string) (c *usher.Client, asked *atomic.Int32, stop func()) {
	asked = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := io.ReadAll(r.Body)
		if r.Method+" "+r.URL.Path+" "+string(request) != `POST /v1/token {"key":"github"}` || err != nil {
			http.Error(w, "not a token request", http.StatusTeapot)
			return
		}
		asked.Add(1)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	return &usher.Client{BaseURL: s.URL}, asked, s.Close
}

const fresh = `{"access_token":"at-1","token_type":"Bearer","expires_at":"2099-01-02T03:04:05Z","scopes":["a","b"],"base_url":"https://api.example"}`

func TestToken(t *testing.T) {
	c, asked, stop := daemon(200, "application/json", fresh)
	defer stop()
	source := oauth2adapter.TokenSource(t.Context(), c, "github")
	for range 2 {
		token, err := source.Token()
		if err != nil {
			t.Fatal(err)
		}
		if token.AccessToken != "at-1" || token.Type() != "Bearer" || token.RefreshToken != "" || !token.Valid() ||
			!token.Expiry.Equal(time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)) {
			t.Error("the token is not the daemon's")
		}
		if token.Extra("scope") != "a b" || token.Extra("base_url") != "https://api.example" {
			t.Errorf("scope %v, base_url %v", token.Extra("scope"), token.Extra("base_url"))
		}
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("the daemon was asked %d times, want 2", n)
	}
}

// x/oauth2 judges by Expiry whether it has to ask again.
func TestReuse(t *testing.T) {
	soon := fmt.Sprintf(`{"access_token":"at-1","token_type":"Bearer","expires_at":%q}`, time.Now().Add(5*time.Second).UTC().Format(time.RFC3339))
	for name, tt := range map[string]struct {
		body string
		want int32
	}{
		"long-lived":     {fresh, 1},
		"about to end":   {soon, 3},
		"without an end": {`{"access_token":"at-1","token_type":"Bearer"}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c, asked, stop := daemon(200, "application/json", tt.body)
			defer stop()
			source := oauth2.ReuseTokenSource(nil, oauth2adapter.TokenSource(t.Context(), c, "github"))
			for range 3 {
				if _, err := source.Token(); err != nil {
					t.Fatal(err)
				}
			}
			if n := asked.Load(); n != tt.want {
				t.Errorf("the daemon was asked %d times, want %d", n, tt.want)
			}
		})
	}
}

func TestErrorsComeThroughTheClient(t *testing.T) {
	c, _, stop := daemon(409, "application/problem+json", `{"code":"login_needed","detail":"login needed for github"}`)
	defer stop()
	client := oauth2.NewClient(t.Context(), oauth2adapter.TokenSource(t.Context(), c, "github"))
	_, err := client.Get("http://127.0.0.1:1/")
	if !errors.Is(err, usher.ErrLoginNeeded) {
		t.Errorf("error = %v", err)
	}
}

func TestContextEndsTheSource(t *testing.T) {
	c, asked, stop := daemon(200, "application/json", fresh)
	defer stop()
	ctx, cancel := context.WithCancel(t.Context())
	source := oauth2adapter.TokenSource(ctx, c, "github")
	cancel()
	if _, err := source.Token(); !errors.Is(err, context.Canceled) || asked.Load() != 0 {
		t.Errorf("error = %v, asked %d times", err, asked.Load())
	}
}

func ExampleTokenSource() {
	c, _, stop := daemon(200, "application/json", fresh) // yours is &usher.Client{...}
	defer stop()
	resource := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "got ", r.Header.Get("Authorization"))
	}))
	defer resource.Close()

	ctx := context.Background()
	client := oauth2.NewClient(ctx, oauth2adapter.TokenSource(ctx, c, "github"))
	resp, err := client.Get(resource.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
	// Output: got Bearer at-1
}
