// Package filestore keeps credentials, logins and client registrations in
// files that several processes share. Start with [Open].
//
// # Layout
//
//	credentials/<hash>/cred.json    the credential, or the tombstone of a deleted one
//	                   cred.prev    the record before it
//	                   intent.json  a refresh token is about to be spent
//	                   lock         held by a rotation, over the network
//	                   write.lock   held by every compare-and-swap, for milliseconds
//	                   spill/       answers that could not be stored in cred.json
//	logins/<id>.json, logins/lock
//	logins/changes                  which logins changed, for other processes
//	owners/<id>                     locked for as long as its owner lives
//	registrations/<hash>.json, registrations/lock
//
// Folders have mode 0700, files 0600. A folder's name is a hash of the key;
// the key itself stands inside, and a file that lies in the wrong folder is an
// error. Lock files are never deleted.
//
// # How it keeps its promises
//
// Readers take no lock: every file is replaced by a rename, after its contents
// are on stable storage. Writers of credentials hold write.lock, writers of
// logins hold logins/lock; whoever needs both takes logins/lock first. Kernel
// locks die with their process, so there is nothing to time out or to steal.
//
// Before a refresh token may be spent, [credential.Rotation] Reserve has the
// disk space set aside, saves the previous record and writes the intent, so
// that what remains to be done with the answer is one write and one rename. An
// answer that still cannot be stored goes to spill/, and where that fails as
// well to the runtime directory, another disk: see [Config]. The next
// holder of the rotation lock finds and installs it, if the record is still the
// one it belongs to. One that belongs to nobody any more stays until its token
// is revoked: see [Store.Orphans].
//
// What is synced when: a file before it is renamed into its place, its folder
// before the call returns. Two things need no sync of their own. The previous
// record is followed by a write to the same folder, whose sync covers both. The
// removal of an intent may be undone by a loss of power: it names a token that
// the record no longer holds, or one that may well be sent again.
//
// Logout works on a full disk: it first removes what it removes anyway. Every
// credential has a cred.prev for that reason too; that of a first one says that
// there was nothing before. Wherever a logout dies, there is the credential or
// its tombstone, and Orphans removes what then lies beside the tombstone.
//
// A folder that is removed by hand is no logout. An answer that is under way is
// stored in it nevertheless, since it is the only copy of the login.
//
// # When cred.json is damaged
//
// A cred.json that cannot be understood is answered from cred.prev, counted as
// the generation that was lost: its access token may live on, and its refresh
// token is the best there is. The next writer keeps a copy of the damaged file
// beside it, named cred.json.corrupt-<time>. A tombstone never falls back to
// the credential it buried: Delete overwrites cred.prev as well. A cred.json that
// is older than cred.prev was put back by somebody; the newer token stays at
// hand for when the older one is refused.
package filestore
