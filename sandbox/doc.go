// Package sandbox is the OAuth authorization server that ships with usher:
// good enough to try a login against, and to be somebody's test double. It
// follows the RFCs closely where it is honest, and misbehaves on request where
// a client has to be tested against servers that are not.
//
// Start with [New]: the [Server] it returns is an http.Handler, with no
// listener, no goroutine and no ticker of its own, so it runs under
// httptest.Server, under a real listener and inside a testing/synctest bubble.
//
//	s, err := sandbox.New(sandbox.Config{Approve: sandbox.ApproveAuto})
//	srv := httptest.NewServer(s)
//	err = s.SetIssuer(srv.URL)
//
// # What it serves
//
//	/.well-known/oauth-authorization-server   RFC 8414, also /.well-known/openid-configuration
//	/jwks                                     the key of its id tokens (ES256)
//	/device_authorization                     RFC 8628 section 3.1; the path is the dialect's
//	/device                                   the page where a person enters or confirms a code
//	/authorize                                authorization code with PKCE S256, RFC 9207 iss
//	/token                                    device_code, authorization_code, refresh_token; the path is the dialect's
//	/revoke                                   RFC 7009
//	/userinfo                                 OpenID Connect Core section 5.3
//	/resource                                 a protected resource to present access tokens to
//	/_sandbox/...                             the admin routes, see below
//
// Where many servers are lax the sandbox is not, since a test double that
// forgives hides defects: it checks PKCE in the device grant too, refuses a
// repeated parameter, refuses a client secret nobody registered, and enforces
// the polling interval.
//
// # What a test asks it
//
// [Server.Record] tells what arrived and what came of it, so that a test can
// assert that exactly one refresh was made, that no poll was early and that no
// refresh token was spent twice. [Server.SetFaults] installs a fault plan; see
// [Faults]. [Server.Approve], [Server.Deny] and the Expire methods act for the
// person and the clock.
//
// # Admin routes
//
// Programs in other processes do the same over HTTP, with JSON bodies:
//
//	GET  /_sandbox/record         the record; with ?secrets=1 also every secret issued and every raw request
//	POST /_sandbox/reset-record   start an empty record
//	POST /_sandbox/faults         replace the fault plan, see [ParseFaults]
//	POST /_sandbox/approve        {"user_code": "...", "subject": "..."}; subject is optional
//	POST /_sandbox/deny           {"user_code": "..."}
//	POST /_sandbox/expire         {"access_tokens": true, "refresh_tokens": true, "device_codes": true}
//
// They are not authenticated: they answer loopback peers only, and no web page
// (see adminGate). Do not put secrets that matter into a sandbox.
package sandbox
