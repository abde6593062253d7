// Package login runs logins: it starts them at the provider, polls, and ends
// each of them exactly once. Start with [New] and [Registry.Start].
//
// # States
//
//	starting -> pending -> persisting -> authorized
//	    |          |            |
//	  failed   denied,       failed, cancelled
//	           expired,
//	           failed,
//	           cancelled
//
// A login is a record in the [credential.Store]; every transition is a
// compare-and-swap on its version there, and whoever wins it, and only the
// winner, reports it to [Config.Observe]. A provider's yes is first written
// into the record (persisting, carrying the credential), then settled: the
// credential is stored and the login ends authorized in one store operation. A
// cancel or a passing deadline while persisting is recorded but decides
// nothing; a logout marks the login superseded, and then its token is revoked
// instead of stored.
//
// A store that fails does not keep a login alive. Its end is told, stands in
// this process, and is stored when the store works again. Until then the record
// keeps a token that was won; that is revoked only when the record has given it
// up, so that no process can store a revoked one.
//
// # Ownership
//
// One process owns a login and is the only one that talks to the provider for
// it. Others join: they watch the record once a second, and claim the login
// when its owner has died. One that expires unclaimed is ended by the next
// registry that looks. After a claim the first poll waits a full interval,
// so that the provider never sees two polls too close together. A code that
// turns out to be spent then ends the login with the code "lost_success": the
// dead owner won, but its win was not yet durable.
//
// What is written: start, slow_down, persisting, end; never a plain poll. Ended
// logins stay readable for [Grace].
package login
