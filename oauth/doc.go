// Package oauth is the client side of the OAuth wire: one request, one answer, one typed error. It asks for a
// device authorization (RFC 8628), polls for its outcome, exchanges an authorization code (RFC 6749 with RFC 7636),
// refreshes, revokes (RFC 7009) and discovers a server's endpoints (RFC 8414).
//
// Use Client first: fill in the endpoints and the client id and call AuthorizeDevice, then PollDevice at the
// interval it names. Discover gives the endpoints of a server that publishes them.
//
// # One call, one request
//
// Nothing in this package repeats a request, follows a redirect on a POST, keeps a cookie or probes for a way of
// client authentication. Whether to try again is the caller's decision, because a refresh token may be spent by a
// request whose answer was lost. Each error is an *Error, whose Outcome says what is known about the request:
// NotSent (no byte of it left), Ambiguous (it may have been carried out) or Answered (the server decided).
// Only Discover, which sends no secret, may make several requests.
//
// # Reading answers
//
// Answers are read strictly where a mistake could cost something: exact member names, no differing duplicates, no
// trailing bytes, at most 1 MiB. They are read leniently where strictness would: a usable access token is
// returned even if a member beside it makes no sense, and a Warning says so. If a token endpoint answers with
// success and there is no usable token, the raw answer is kept in Error.Body.
//
// A JSON object that is complete is an answer, also where the connection breaks or goes silent behind it: asking again
// would spend a token twice.
//
// Text chosen by the server never appears in Error.Error, but for the names in a certificate that was refused and the
// status of a proxy that did not connect, before anything was sent and made printable by safetext. Codes are checked, and
// descriptions are made printable too, and left out if they repeat a secret of the request.
package oauth
