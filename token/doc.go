// Package token hands out access tokens that work, and renews them so that a
// refresh token is never lost and never spent twice.
//
// Use [NewManager] once per store and process, then [Manager.Token] for every
// read, and [Manager.Close] before the process ends: it waits for what must
// not be cut off.
//
// # Reading
//
// A token that is in memory and usable is returned without a lock and without
// I/O. Once a second the manager asks the store whether a key that was read in
// the last minute has changed, so a refresh, a logout or a new login by another
// process shows within a second; a key unread for a minute leaves memory.
//
// Usable means that more than [Margin] of its life is left, by the wall clock
// and by the clock that counts from boot, so that setting the clock back does
// not make a token live longer. Close to the end ([RefreshEarly]) a read still
// answers at once with the token there is, and a renewal starts beside it. A
// read waits for a renewal only when nothing usable is left for it, or when
// it asked for more life than there is; should that renewal fail or the
// reader's context end, a token that is still usable is answered all the same.
//
// # Renewing
//
// All readers in the process share one renewal of a key. It belongs to the
// manager, not to the reader who set it off: that reader may go away. Its
// steps are the type step in rotate.go: take the store's rotation lock, read
// again, adopt what someone else was faster to renew, reserve disk space and
// write down the intent, send one request, make the answer durable, and only
// then publish it. An answer that was lost is asked for again quickly with the
// same token, at most twice; a slow answer never is. What an error means is
// decided by one function, classify. Only an invalid_grant that is still
// true after reading the store once more, and after trying every other token
// that it has kept, ends a credential, and even then its bytes are kept and its
// access token is served while it lives.
//
// When the answer cannot be made durable, the lock is kept, so that nobody can
// spend the old refresh token again, the new token is served from memory, and
// storing is tried until it succeeds or the manager is closed and its closing
// context ends. A process that is killed in that time loses the token unless
// the store set it aside.
//
// A daemon shows every credential to [Manager.Tend] once a second, and those
// in use are then renewed before anybody has to ask. It also calls
// [Manager.RevokeOrphans] now and again.
//
// # Sharing
//
// A credential may be shared with a tool that keeps the same tokens in a file
// of its own; see package share. A rotation then takes the tool's lock after our
// own, adopts what the tool was faster to get, stores its own answer first and
// gives it to the tool after. What fails before the refresh token is spent ends
// the rotation; the tool's file failing after it does not. While such a
// credential is in memory or tended, the file is looked at once a second: what
// the tool got is adopted, and a file that it removed is restored.
// [Manager.Sync] and [Manager.Unshare] follow a login and a logout.
//
// # What it does not do
//
// Nothing is renewed that nobody reads or tends. The package does not log in,
// does not revoke on logout, and never looks at configuration: Config.ClientSecret
// supplies the one thing a credential does not carry itself.
package token
