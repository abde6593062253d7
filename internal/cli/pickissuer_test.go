package cli

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/provider"
)

// Whoever mistypes an address is told so in plain words.
func TestWhyNot(t *testing.T) {
	website := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(website.Close)
	_, here := oauth.Discover(t.Context(), nil, website.URL)
	for _, tt := range []struct {
		err  error
		want string
	}{
		{here, "no OAuth server answers at that address"},
		{network(&net.DNSError{Err: "no such host", Name: "id.example.com", IsNotFound: true}), "there is no server called id.example.com"},
		{network(&net.OpError{Op: "dial", Err: errors.New("connection refused")}), "the server cannot be reached: connection refused"},
		{provider.ErrNoLoginEndpoint, provider.ErrNoLoginEndpoint.Error()},
	} {
		if tt.err == nil || whyNot(tt.err) != tt.want {
			t.Errorf("%v: want %q", tt.err, tt.want)
		}
	}
}

// network is the error for a server that err keeps from being reached.
func network(err error) error {
	return &oauth.Error{Op: "discovery", Kind: oauth.KindNetwork, Err: err}
}
