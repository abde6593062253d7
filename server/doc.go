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
//  2. Origin: a request that another web page makes is refused. There are no
//     CORS headers, ever.
//  3. Bearer: without the daemon's token there is nothing but /health, and a
//     path that does not exist is refused as one that does.
//  4. Strict: without a configured token there is nothing that yields one.
//  5. Body: more than the surface allows is refused unread.
//  6. Route.
//
// On the unix socket the kernel has authenticated the owner, so gates 3 and 4
// are open there.
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
