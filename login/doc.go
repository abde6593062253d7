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
// A login of method code (RFC 6749 section 4.1) is pending in the state
// AwaitingCode, and passes through Exchanging on its way to persisting: see
// [Registry.Complete].
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
// # Time-outs
//
// A start, a poll and a persist have 30 seconds each, whether or not the
// provider's code or the store honours its context, and a second to notice.
//
//   - A start that hangs fails, and nothing remains of it.
//   - A poll that hangs is trouble on the way like any other. While it has not
//     returned there is no second one. Its late answer is told for the audit
//     log ([LateAnswer]) and decides nothing; a late token is revoked
//     ([LostSuccess]).
//   - A persist that hangs ends the login as [FailurePersist], and that stands,
//     since it was told. Should the credential be stored after all, it is kept,
//     as the person approved it, and told as [LateSuccess]; the record then
//     says failed, and the key is logged in. Should the store fail in the end,
//     the token is revoked as after any other failure of the store.
//
// Every other call of the store waits 30 seconds at most for the store's locks,
// which a process that was stopped in the middle of a change may hold. An end
// that cannot be stored by then is told all the same.
//
// # Many logins
//
// One goroutine and one timer wake all logins, and each provider has a bounded
// number of calls at a time; a pending login costs less than a kilobyte and no
// goroutine. With [Config.Adopt] the registry knows every login of the store:
// it lists them once, follows [credential.Store.LoginChanges] from then on, and
// answers from memory.
//
// # Sharing and imports
//
// A login carries the name of the tool that its credential will be shared with
// into that credential, together with what the tool's file held right before;
// [Config.Settled] then brings the file up to date before the end is told.
// [Registry.Import] stores what was obtained elsewhere by the same two writes.
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
// What a process finds when it begins is no news to it. But one that is killed
// may have written down a start or an end without having told it: where the next
// one knows that, it tells both again; see [Config.AfterCrash].
//
// What is written: start, slow_down, persisting, end; never a plain poll. Ended
// logins stay readable for [Grace].
package login
