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
// answer that still cannot be stored goes to spill/, where the next holder of
// the rotation lock finds and installs it, if the record is still the one it
// belongs to.
//
// # When cred.json is damaged
//
// A cred.json that cannot be understood is answered from cred.prev, counted as
// the generation that was lost: its access token may live on, and its refresh
// token is the best there is. The next writer keeps a copy of the damaged file
// beside it, named cred.json.corrupt-<time>. A tombstone never falls back to
// the credential it buried: Delete overwrites cred.prev as well.
package filestore
