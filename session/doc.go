// Package session is what stands behind POST /session and
// GET /session/{id}/events of the compatible surface: sessions, and the
// numbered stream of login events that each of them shows.
//
// Open a [Hub], put events in with [Hub.Publish] and follow them with
// [Hub.Subscribe] and [Subscription.Take]. A session selects nothing: all of
// them show the same events, and none needs anything to be logged in.
//
// # One ring for all
//
// Events have shared numbers and stand in one ring. A session is little more
// than the number at which it began: the id of an event in its stream is the
// shared number minus that, so that ids begin at 1 and have no gaps, while an
// event is stored and encoded once however many sessions there are. A
// subscriber is a position. How far it lags, in events and in bytes, is the
// distance between the newest event and its position; warnings and the
// eviction of who does not read follow from that, and nobody keeps a queue or
// holds up who publishes.
//
// # Restarts
//
// Sessions are kept in one file and are there again after a restart, with a
// new epoch and without the events of before. Numbers are handed out only from
// blocks that were durably reserved, so that the ids of a session go on above
// every id its clients can have seen, after kill -9 too. Clients ignore what
// comes with an id they know. A file that cannot be read loses the sessions
// and nothing else.
package session
