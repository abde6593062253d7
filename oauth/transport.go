package oauth

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// NewHTTPClient returns a client made for token requests: certificates are verified against the system's roots with
// TLS 1.2 or newer, the proxy comes from the environment, nothing is decompressed and no redirect is followed.
// Dialling and the TLS handshake may each take 5 s and the response header 60 s; the whole is bounded by the context of
// the caller. Headers are limited to 64 KiB. It is safe for concurrent use.
//
// Every request gets a connection of its own, over HTTP/1.1: a kept-alive connection that the server has just closed, or
// a refused HTTP/2 stream, makes net/http send a request again or leaves open whether it was processed.
func NewHTTPClient() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  60 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			Protocols:              protocols,
		},
	}
}

// sharedHTTPClient serves every Client whose HTTP field is nil. It keeps no connection.
var sharedHTTPClient = sync.OnceValue(NewHTTPClient)
