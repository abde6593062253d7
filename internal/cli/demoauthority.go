package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/usherauth/usher/sandbox"
)

// authority is the sandbox as its clients and its record see it.
type authority struct{ issuer string }

// present presents an access token to the protected resource and returns the
// status of the answer.
func (s authority) present(ctx context.Context, token string) (int, error) {
	resp, err := s.get(ctx, "/resource", token)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// record returns what the server saw.
func (s authority) record(ctx context.Context) (sandbox.Record, error) {
	var r sandbox.Record
	resp, err := s.get(ctx, "/_sandbox/record", "")
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		return r, fmt.Errorf("reading the server's record: %w", err)
	}
	return r, nil
}

func (s authority) get(ctx context.Context, path, bearer string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.issuer+path, nil)
	if err != nil {
		return nil, err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the server: %w", err)
	}
	return resp, nil
}
