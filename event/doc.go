// Package event is the ordered log of what happened in this process: logins
// that start and end, credentials that are stored, refreshed and removed.
//
// Make a [Log] with [New], put events in with [Log.Append] and follow them
// with [Log.Subscribe] and [Subscription.Next]. The log holds no state of its
// own: it tells of changes that are already settled, and is gone with the
// process.
//
// # Guarantees
//
//   - One order. Events are numbered by one, without gaps, under an epoch that
//     is drawn at random for each log; every subscriber sees them in that order.
//   - Append never blocks and never fails, however slow the subscribers are.
//   - The log keeps the last events up to its capacity, and nothing per
//     subscriber but a position, so memory stays flat.
//   - A subscriber whose position is within what is kept misses nothing. One
//     whose position is not (it was too slow, it comes back too late, or it
//     names another epoch) gets a single event of type
//     [api.EventStreamResync] in place of what it missed and continues with
//     the oldest event that is kept. Whoever gets one reads the state anew.
//   - The id of a resync event is the position right before the oldest kept
//     event, so that coming back with it misses nothing either.
package event
