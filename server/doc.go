// Package server speaks HTTP for a broker: the native surface under /v1, and
// the surface that is compatible with the auth routes of `qwen serve`.
//
// Make a [Server] with [New] and run it with [Server.Serve] on TCP listeners
// and on the owner's unix socket; tests call [Server.Handler] without any
// socket. The server holds no state of a login or credential: it asks its
// [Broker], which the command line uses the same way without a daemon.
//
// # Gates
//
// Every request passes the same gates in this order, before anything of it
// reaches the broker; gates.go has one small function for each:
//
//  1. Host: a request for a name that is not the daemon's (DNS rebinding) is refused.
//  2. Origin: a request that another web page makes is refused, and there are
//     no CORS headers, except for the pages of [Config.AllowedOrigins]. Their
//     preflights end here.
//  3. Bearer: without the daemon's token there is nothing but /health, and a
//     path that does not exist is refused as one that does.
//  4. Rate, with a [RateLimit]: a client that asks too often is refused.
//  5. Strict: without a configured token there is nothing that yields one.
//  6. Body: more than the surface allows is refused unread.
//  7. Route.
//
// On the unix socket the kernel has authenticated the owner, so gates 3 to 5
// are open there.
//
// # Callers
//
// Who holds the bearer may do everything. The client id header only says whose
// login is whose: code and links are shown to the client that started it, and
// on /v1 to others that ask for them by name, which is recorded; see
// [api.Caller].
//
// # Errors
//
// Handlers return errors; one function turns them into a problem document
// (RFC 9457) on /v1 and into {"error", "code"} elsewhere. Only the words of an
// [api.Error] are shown to a client.
//
// # Stopping
//
// When Serve's context ends, the server stops accepting and answers the long
// polls, then calls [Config.Drain] for the broker to settle what is in flight,
// and closes the event streams last, after they delivered what that caused.
package server
